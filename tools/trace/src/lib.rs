//! PE traces: what a processing element of the DPU sees, vector by vector.
