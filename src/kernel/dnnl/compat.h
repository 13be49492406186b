/* The C interface of oneDNN changed between 2.x (Debian 12) and 3.x (Debian 13): memory descriptors
 * became handles and operation descriptors went away. Only this pair of files knows. */
#ifndef MDF_KERNEL_DNNL_COMPAT_H
#define MDF_KERNEL_DNNL_COMPAT_H

#include <dnnl.h>
#include <stdbool.h>

#if DNNL_VERSION_MAJOR >= 3
typedef const_dnnl_memory_desc_t mdf_md_ref;
#else
typedef const dnnl_memory_desc_t *mdf_md_ref;
#endif

/* A float32 memory descriptor that is freed with mdf_md_free(). */
typedef struct mdf_md {
    dnnl_memory_desc_t md;
    bool made;
} mdf_md;

bool mdf_md_make(mdf_md *m, int rank, const dnnl_dim_t *dim, dnnl_format_tag_t tag);
void mdf_md_free(mdf_md *m);
mdf_md_ref mdf_md_of(const mdf_md *m);

/* Direct convolution, stride 1, the same padding on all sides. bias may be NULL. hint is the
 * forward descriptor for the two backward kinds. False: oneDNN refused. */
bool mdf_conv_forward_desc(dnnl_primitive_desc_t *pd, dnnl_engine_t engine, const mdf_md *src,
                           const mdf_md *weights, const mdf_md *bias, const mdf_md *dst,
                           dnnl_dim_t pad, const_dnnl_primitive_attr_t attr);
bool mdf_conv_backward_data_desc(dnnl_primitive_desc_t *pd, dnnl_engine_t engine, const mdf_md *src,
                                 const mdf_md *weights, const mdf_md *dst, dnnl_dim_t pad,
                                 const_dnnl_primitive_attr_t attr,
                                 const_dnnl_primitive_desc_t hint);
bool mdf_conv_backward_weights_desc(dnnl_primitive_desc_t *pd, dnnl_engine_t engine,
                                    const mdf_md *src, const mdf_md *weights, const mdf_md *bias,
                                    const mdf_md *dst, dnnl_dim_t pad,
                                    const_dnnl_primitive_attr_t attr,
                                    const_dnnl_primitive_desc_t hint);

#endif
