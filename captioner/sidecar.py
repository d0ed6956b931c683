"""An XMP file that says what can be seen on a photo, for programs that read such files beside photos."""

from __future__ import annotations

import re
from xml.sax.saxutils import escape, unescape

# ISO 16684-1 (XMP) with the properties of Dublin Core and of IPTC Photo Metadata 2021.1.
PACKET = """<?xpacket begin='\ufeff' id='W5M0MpCehiHzreSzNTczkc9d'?>
<x:xmpmeta xmlns:x='adobe:ns:meta/'>
 <rdf:RDF xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#'>
  <rdf:Description rdf:about='' xmlns:dc='http://purl.org/dc/elements/1.1/'
    xmlns:Iptc4xmpCore='http://iptc.org/std/Iptc4xmpCore/1.0/xmlns/'>
   <dc:description><rdf:Alt><rdf:li xml:lang='x-default'>{text}</rdf:li></rdf:Alt></dc:description>
   <Iptc4xmpCore:AltTextAccessibility><rdf:Alt><rdf:li xml:lang='x-default'>{text}</rdf:li></rdf:Alt></Iptc4xmpCore:AltTextAccessibility>
  </rdf:Description>
 </rdf:RDF>
</x:xmpmeta>
<?xpacket end='w'?>
"""  # noqa: E501
_LINE = re.compile(r"<dc:description><rdf:Alt><rdf:li xml:lang='x-default'>([^<]*)</rdf:li>")


def xmp_packet(text: str) -> bytes:
    """A whole XMP file with a text as `dc:description` and as `Iptc4xmpCore:AltTextAccessibility`."""
    return PACKET.format(text=escape(text)).encode("utf-8", "replace")


def text_of_packet(data: bytes) -> str | None:
    """The text of a file that `xmp_packet` wrote; None for any other."""
    line = _LINE.search(data.decode("utf-8", "replace"))
    text = unescape(line[1]) if line else None
    return text if text is not None and xmp_packet(text) == data else None
