from tests.benchmarks.fake.adding import Adding as Competitor

__all__ = ["Competitor"]
