// Operators that have gradients, compiled together for libtorch's headers.
#include "cascade.inc"
#include "depthwise.inc"
#include "units.inc"
