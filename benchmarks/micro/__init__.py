"""Operations in isolation, timed by pytest-benchmark; not part of the tests."""
