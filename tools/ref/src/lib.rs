//! A naive evaluator of integer TOSA operators, the project's internal oracle.
