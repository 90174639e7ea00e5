"""Labels that say an image holds synthetic content: in its metadata, and in a corner for everybody to see.

Law: what a file says is written and read back here; nothing here takes a label away. A label is about the image, a signature (in
`vision.imagery.provenance`) about the bytes.
"""
