"""``schedules.yaml`` and the environment -> one validated, typed ``Configuration``."""
