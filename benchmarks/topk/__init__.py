"""The items with the largest inner products for each query, exactly."""
