"""Writes a safetensors file of zeros: safetensors.py FILE NAME=EXTENT,EXTENT…"""

import json
import math
import struct
import sys

header, offset = {}, 0
for argument in sys.argv[2:]:
    name, extents = argument.split("=")
    shape = [int(extent) for extent in extents.split(",")]
    end = offset + 4 * math.prod(shape)
    header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [offset, end]}
    offset = end
text = json.dumps(header).encode()
with open(sys.argv[1], "wb") as file:
    file.write(struct.pack("<Q", len(text)) + text + bytes(offset))
