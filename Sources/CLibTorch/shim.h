// Nothing is seen by Swift; CTorch includes libtorch's C++ headers.
