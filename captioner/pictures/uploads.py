"""What one visitor of a server may send: bytes and seconds, for the page and for the service alike. Knows no Keras."""

from __future__ import annotations

MAX_PHOTO = 20 << 20  # bytes of one photo
MAX_UPLOAD = 300_000_000  # bytes of one request, which may hold many photos
GAP_SECONDS = 20.0  # between two pieces of a body
BODY_SECONDS = 300.0
