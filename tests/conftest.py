pytest_plugins = ["tests.postgres", "tests.harness.temporal"]
