"""Writes area_codes.txt anew from the PyPI package `phonenumbers`, which carries Google's
libphonenumber data (Apache-2.0). `make area-codes` runs it.

An area code gets every zone that any number in it may be in: numbers are ported, so the exchange
says less about where a phone is than the data pretends.
"""

import importlib
import sys
from collections import defaultdict

package = importlib.import_module("phonenumbers")
data = importlib.import_module("phonenumbers.tzdata.data0").data

zones_of = defaultdict(set)
for prefix, zones in data.items():
    # "1" alone lists all of North America: that is not knowing.
    if prefix.startswith("1") and len(prefix) >= 4:
        zones_of[prefix[1:4]].update(zones)

codes_of = defaultdict(list)
for code, zones in sorted(zones_of.items()):
    codes_of[" ".join(sorted(zones))].append(code)

with open(sys.argv[1], "w", encoding="utf-8") as out:
    out.write("# Area codes of the North American Numbering Plan and the time zones their numbers are in.\n")
    out.write(f"# From libphonenumber {package.__version__} (c) The Libphonenumber Authors, Apache-2.0; see NOTICE.\n")
    out.write("# Written by regenerate.py, do not edit.\n")
    for zones, codes in sorted(codes_of.items()):
        out.write(f"{' '.join(codes)} = {zones}\n")
