"""SwiGLU experts on a GPU: kernels in Triton for few and for many tokens, and the table that chooses between them."""
