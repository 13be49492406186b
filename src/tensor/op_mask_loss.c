/* Segmentation loss: binary cross entropy + soft Dice per existing mask, pixels weighted. */
#include "tensor/op.h"

typedef struct mask_loss_saved {
    const mdf_real *target; /* [B,H,W,C] in 0..1 */
    const mdf_real *weight; /* [B,C] 0 or 1 */
    const mdf_real *pixel;  /* [B,H,W,C] or NULL: 1 */
    double *sums;           /* [B,C,2]: sum of p*t, sum of p + t */
    int64_t masks;
} mask_loss_saved;

static mdf_real sigmoid(mdf_real x)
{
    return 1 / (1 + mdf_exp(-x));
}

static void mask_loss_backward(mdf_graph *g, const mdf_node *node)
{
    mdf_tensor *x = node->in[0];
    const mask_loss_saved *s = node->saved;
    mdf_real *dx = mdf_grad_add_target(g, x);
    if (dx == NULL || s->masks == 0) {
        return;
    }
    const int64_t c = x->dim[3];
    const int64_t pixels = x->dim[1] * x->dim[2];
    const mdf_real scale = node->out->grad[0] / (mdf_real)s->masks;
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < x->dim[0] * c; i++) {
        if (s->weight[i] <= 0) {
            continue;
        }
        const int64_t base = i / c * pixels * c + i % c;
        const mdf_real top = (mdf_real)(2 * s->sums[2 * i] + 1);
        const mdf_real bottom = (mdf_real)(s->sums[2 * i + 1] + 1);
        for (int64_t j = 0; j < pixels; j++) {
            const mdf_real t = s->target[base + j * c];
            const mdf_real p = sigmoid(x->data[base + j * c]);
            const mdf_real dice =
                (top - 2 * t * bottom) / (bottom * bottom); /* d(1-top/bottom)/dp */
            const mdf_real w = s->pixel == NULL ? 1 : s->pixel[base + j * c];
            dx[base + j * c] += w * (scale * ((p - t) / (mdf_real)pixels + dice * p * (1 - p)));
        }
    }
}

static const mdf_op op_mask_loss = {"mask_loss", mask_loss_backward};

mdf_tensor *mdf_mask_loss(mdf_graph *g, mdf_tensor *logits, const mdf_real *target,
                          const mdf_real *weight, const mdf_real *pixel)
{
    if (logits == NULL) {
        return NULL;
    }
    if (logits->rank != 4) {
        return mdf_graph_fail(g, MDF_ERR_SHAPE, op_mask_loss.name, "want logits [B,H,W,C]");
    }
    const int64_t c = logits->dim[3];
    const int64_t pixels = logits->dim[1] * logits->dim[2];
    const int64_t count = logits->dim[0] * c;
    mdf_tensor *y = mdf_zeros(g, 1, (int64_t[]){1});
    mask_loss_saved *s = mdf_graph_alloc(g, 1, sizeof *s);
    double *sums = mdf_graph_alloc(g, count * 3, sizeof *sums);
    if (g->error.code != MDF_OK) {
        return NULL;
    }
    double *bce = sums + 2 * count;
    int64_t masks = 0;
#pragma omp parallel for schedule(static) reduction(+ : masks)
    for (int64_t i = 0; i < count; i++) {
        sums[2 * i] = sums[2 * i + 1] = bce[i] = 0;
        masks += weight[i] > 0;
        const int64_t base = i / c * pixels * c + i % c;
        for (int64_t j = 0; weight[i] > 0 && j < pixels; j++) {
            const mdf_real z = logits->data[base + j * c];
            const mdf_real t = target[base + j * c];
            const mdf_real p = sigmoid(z);
            const double w = pixel == NULL ? 1 : (double)pixel[base + j * c];
            sums[2 * i] += w * (double)(p * t);
            sums[2 * i + 1] += w * (double)(p + t);
            /* log(1 + exp(-|z|)) + max(z,0) - z t: never overflows */
            const double a = fabs((double)z);
            bce[i] += w * (log1p(exp(-a)) + (z > 0 ? (double)z : 0.0) - (double)(z * t));
        }
    }
    double loss = 0;
    for (int64_t i = 0; i < count; i++) {
        if (weight[i] > 0) {
            loss += bce[i] / (double)pixels + 1 - (2 * sums[2 * i] + 1) / (sums[2 * i + 1] + 1);
        }
    }
    y->data[0] = masks == 0 ? 0 : (mdf_real)(loss / (double)masks);
    *s = (mask_loss_saved){target, weight, pixel, sums, masks};
    return mdf_graph_record(g, &op_mask_loss, y, &logits, 1, s);
}
