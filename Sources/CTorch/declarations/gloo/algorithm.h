// PyTorch's header of its Gloo backend includes Gloo's, which libtorch does not ship. It needs only
// their names, as nothing but pointers to these types passes through; so they are declared here.
#pragma once
