"""Folders of photos: found, captioned once, and their captions written where other programs look."""
