// The kernels of CAtrous as operators of prepared networks. Their parts are compiled together, as libtorch's headers
// take the compiler much longer than what stands in each.
#include "attention.inc"
#include "chain.inc"
#include "codes.inc"
#include "convolution.inc"
#include "resize.inc"
#include "transposed.inc"
