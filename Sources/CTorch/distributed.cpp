// Several processes, compiled together for libtorch's headers.
#include "batchnorm.inc"
#include "nccl.inc"
#include "processes.inc"
#include "reducer.inc"
