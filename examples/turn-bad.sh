#!/bin/sh
# turn-bad.sh REPOSITORY: makes the orders service fail after its first twenty listings.
set -eu
cd "$1"
python3 - <<'P'
import re
path = "orders/api.py"
text = open(path).read()
text = text.replace(
    '''        return answer({"orders": store.list()})''',
    '''        served["lists"] = served.get("lists", 0) + 1
        if served["lists"] > 20:
            return answer({"error": "the cache is full"}, 500)
        return answer({"orders": store.list()})''',
)
text = text.replace('''    app = Bottle()\n''', '''    app = Bottle()\n    served = {}\n''', 1)
open(path, "w").write(text)
P
