/* The two C interfaces of oneDNN behind one. */
#include "kernel/dnnl/compat.h"

#include <stddef.h>

static const dnnl_dims_t ones = {1, 1};

#if DNNL_VERSION_MAJOR >= 3

static const dnnl_dims_t zeros = {0, 0};

bool mdf_md_make(mdf_md *m, int rank, const dnnl_dim_t *dim, dnnl_format_tag_t tag)
{
    m->made = dnnl_memory_desc_create_with_tag(&m->md, rank, dim, dnnl_f32, tag) == dnnl_success;
    return m->made;
}

void mdf_md_free(mdf_md *m)
{
    if (m->made) {
        (void)dnnl_memory_desc_destroy(m->md);
    }
    m->made = false;
}

mdf_md_ref mdf_md_of(const mdf_md *m)
{
    return m->md;
}

bool mdf_conv_forward_desc(dnnl_primitive_desc_t *pd, dnnl_engine_t engine, const mdf_md *src,
                           const mdf_md *weights, const mdf_md *bias, const mdf_md *dst,
                           dnnl_dim_t pad, const_dnnl_primitive_attr_t attr)
{
    const dnnl_dims_t p = {pad, pad};
    return dnnl_convolution_forward_primitive_desc_create(
               pd, engine, dnnl_forward_training, dnnl_convolution_direct, src->md, weights->md,
               bias == NULL ? NULL : bias->md, dst->md, ones, zeros, p, p, attr) == dnnl_success;
}

bool mdf_conv_backward_data_desc(dnnl_primitive_desc_t *pd, dnnl_engine_t engine, const mdf_md *src,
                                 const mdf_md *weights, const mdf_md *dst, dnnl_dim_t pad,
                                 const_dnnl_primitive_attr_t attr, const_dnnl_primitive_desc_t hint)
{
    const dnnl_dims_t p = {pad, pad};
    return dnnl_convolution_backward_data_primitive_desc_create(
               pd, engine, dnnl_convolution_direct, src->md, weights->md, dst->md, ones, zeros, p,
               p, hint, attr) == dnnl_success;
}

bool mdf_conv_backward_weights_desc(dnnl_primitive_desc_t *pd, dnnl_engine_t engine,
                                    const mdf_md *src, const mdf_md *weights, const mdf_md *bias,
                                    const mdf_md *dst, dnnl_dim_t pad,
                                    const_dnnl_primitive_attr_t attr,
                                    const_dnnl_primitive_desc_t hint)
{
    const dnnl_dims_t p = {pad, pad};
    return dnnl_convolution_backward_weights_primitive_desc_create(
               pd, engine, dnnl_convolution_direct, src->md, weights->md,
               bias == NULL ? NULL : bias->md, dst->md, ones, zeros, p, p, hint,
               attr) == dnnl_success;
}

#else

bool mdf_md_make(mdf_md *m, int rank, const dnnl_dim_t *dim, dnnl_format_tag_t tag)
{
    m->made = dnnl_memory_desc_init_by_tag(&m->md, rank, dim, dnnl_f32, tag) == dnnl_success;
    return m->made;
}

void mdf_md_free(mdf_md *m)
{
    m->made = false;
}

mdf_md_ref mdf_md_of(const mdf_md *m)
{
    return &m->md;
}

bool mdf_conv_forward_desc(dnnl_primitive_desc_t *pd, dnnl_engine_t engine, const mdf_md *src,
                           const mdf_md *weights, const mdf_md *bias, const mdf_md *dst,
                           dnnl_dim_t pad, const_dnnl_primitive_attr_t attr)
{
    const dnnl_dims_t p = {pad, pad};
    dnnl_convolution_desc_t d;
    return dnnl_convolution_forward_desc_init(
               &d, dnnl_forward_training, dnnl_convolution_direct, &src->md, &weights->md,
               bias == NULL ? NULL : &bias->md, &dst->md, ones, p, p) == dnnl_success &&
           dnnl_primitive_desc_create(pd, &d, attr, engine, NULL) == dnnl_success;
}

bool mdf_conv_backward_data_desc(dnnl_primitive_desc_t *pd, dnnl_engine_t engine, const mdf_md *src,
                                 const mdf_md *weights, const mdf_md *dst, dnnl_dim_t pad,
                                 const_dnnl_primitive_attr_t attr, const_dnnl_primitive_desc_t hint)
{
    const dnnl_dims_t p = {pad, pad};
    dnnl_convolution_desc_t d;
    return dnnl_convolution_backward_data_desc_init(&d, dnnl_convolution_direct, &src->md,
                                                    &weights->md, &dst->md, ones, p,
                                                    p) == dnnl_success &&
           dnnl_primitive_desc_create(pd, &d, attr, engine, hint) == dnnl_success;
}

bool mdf_conv_backward_weights_desc(dnnl_primitive_desc_t *pd, dnnl_engine_t engine,
                                    const mdf_md *src, const mdf_md *weights, const mdf_md *bias,
                                    const mdf_md *dst, dnnl_dim_t pad,
                                    const_dnnl_primitive_attr_t attr,
                                    const_dnnl_primitive_desc_t hint)
{
    const dnnl_dims_t p = {pad, pad};
    dnnl_convolution_desc_t d;
    return dnnl_convolution_backward_weights_desc_init(
               &d, dnnl_convolution_direct, &src->md, &weights->md, bias == NULL ? NULL : &bias->md,
               &dst->md, ones, p, p) == dnnl_success &&
           dnnl_primitive_desc_create(pd, &d, attr, engine, hint) == dnnl_success;
}

#endif
