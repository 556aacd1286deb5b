"""How long tests wait. A busy machine may stand still for seconds, and no test is to fail by that.

What must happen is waited for `PATIENCE_S`. What has a deadline may be `LATE_S` late, and what would be wrong takes `FOREVER_S`.
"""

from typing import Final

PATIENCE_S: Final = 30.0
LATE_S: Final = 10.0
FOREVER_S: Final = 60.0
