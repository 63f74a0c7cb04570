"""What /metrics counts, in numbers."""

import re
from collections import Counter

_LINE = re.compile(r'^shiwu_photos_total\{outcome="(\w+)"\} ([\d.]+)$', re.MULTILINE)


def photos_counted(client) -> Counter[str]:
    """How many photos had which outcome until now; take two apart to see what a request did."""
    told = client.get("/metrics").text
    return Counter({outcome: int(float(count)) for outcome, count in _LINE.findall(told)})
