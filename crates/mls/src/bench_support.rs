//! Groups for benchmarks and tests.
