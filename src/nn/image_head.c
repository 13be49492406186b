/* A classifier of the picture alone. */
#include "nn/image_head.h"

#include "tensor/op.h"

enum { WIDE = 1280 };

void mdf_image_head_declare(mdf_image_head *h, const mdf_config *c, mdf_params *p)
{
    *h = (mdf_image_head){0};
    if (!mdf_config_has_unet(c) || (c->train.aux_weight <= 0 && !c->answer.image_head)) {
        return;
    }
    const int64_t k = c->answer.label_count;
    int64_t features = mdf_unet_channels(c, MDF_UNET_LEVELS + 1);
    if (c->unet.encoder == MDF_ENCODER_EFFICIENTNET_LITE0) {
        mdf_normed_conv_declare(&h->wide, p, WIDE, features, 1, "unet.encoder.head");
        features = WIDE;
    }
    h->w = mdf_param_add(p, MDF_GROUP_UNET, MDF_INIT_ZERO, 0, 2, (int64_t[]){k, features},
                         "mdf.aux.weight");
    h->b = mdf_param_add(p, MDF_GROUP_UNET, MDF_INIT_ZERO, 0, 1, &k, "mdf.aux.bias");
}

mdf_tensor *mdf_image_head_logits(mdf_graph *g, const mdf_image_head *h, mdf_tensor *mid)
{
    if (h->wide.w != NULL) {
        mid = mdf_normed_conv_run(g, &h->wide, mid, mdf_relu6());
    }
    if (mid == NULL) {
        return NULL;
    }
    const int64_t cases = mid->dim[0];
    const int64_t pixels = mid->dim[1] * mid->dim[2];
    int32_t *begin = mdf_graph_alloc(g, cases, sizeof *begin);
    int32_t *count = mdf_graph_alloc(g, cases, sizeof *count);
    if (g->error.code != MDF_OK) {
        return NULL;
    }
    for (int64_t i = 0; i < cases; i++) {
        begin[i] = (int32_t)(i * pixels);
        count[i] = (int32_t)pixels;
    }
    mdf_tensor *rows = mdf_reshape(g, mid, 2, (int64_t[]){cases * pixels, mid->dim[3]});
    return mdf_linear(g, mdf_mean_rows(g, rows, begin, count, cases), h->w, h->b);
}
