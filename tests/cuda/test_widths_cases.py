from __future__ import annotations

from tests.cuda.twins import twin

globals().update(twin("ops/test_als_widths.py", ("als_half_epoch", "als_objective"), without={}))
