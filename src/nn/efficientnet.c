/* EfficientNet-lite0 as the encoder of a U-Net (docs/MODEL.md section 2). */
#include "nn/efficientnet.h"

#include <stdio.h>

#include "tensor/op.h"

static const mdf_real norm_eps = MDF_R(1e-3); /* TensorFlow's, which it was trained with */

/* What the blocks of a stage have in common. */
typedef struct stage {
    int repeats, kernel, stride, expansion, channels;
    int level; /* that the stage's last block ends, or 0 */
} stage;

enum { STAGES = 7, STEM = 32 };

static const stage stages[STAGES] = {
    {1, 3, 1, 1, 16, 1},  {2, 3, 2, 6, 24, 2},  {2, 5, 2, 6, 40, 3},  {3, 3, 2, 6, 80, 0},
    {3, 5, 1, 6, 112, 4}, {4, 5, 2, 6, 192, 0}, {1, 3, 1, 6, 320, 5},
};

int64_t mdf_efficientnet_channels(int level)
{
    for (int i = 0; i < STAGES; i++) {
        if (stages[i].level == level) {
            return stages[i].channels;
        }
    }
    return 0;
}

void mdf_normed_conv_declare(mdf_normed_conv *c, mdf_params *p, int64_t out, int64_t in,
                             int64_t kernel, const char *name)
{
    const mdf_group u = MDF_GROUP_UNET;
    const mdf_group fixed = MDF_GROUP_FIXED;
    c->w = mdf_param_add(p, u, MDF_INIT_HE, 0, 4, (int64_t[]){out, in, kernel, kernel}, "%s.weight",
                         name);
    c->gamma = mdf_param_add(p, u, MDF_INIT_ONE, 0, 1, &out, "%s.norm.weight", name);
    c->beta = mdf_param_add(p, u, MDF_INIT_ZERO, 0, 1, &out, "%s.norm.bias", name);
    c->mean = mdf_param_add(p, fixed, MDF_INIT_ZERO, 0, 1, &out, "%s.norm.mean", name);
    c->var = mdf_param_add(p, fixed, MDF_INIT_ONE, 0, 1, &out, "%s.norm.var", name);
}

static void declare_block(mdf_efficientnet_block *b, mdf_params *p, const stage *s, int number,
                          int64_t in, bool first)
{
    char name[64];
    const int64_t wide = in * s->expansion;
    b->stride = first ? s->stride : 1;
    b->shortcut = b->stride == 1 && in == s->channels;
    if (s->expansion != 1) {
        (void)snprintf(name, sizeof name, "unet.encoder.block.%d.expand", number);
        mdf_normed_conv_declare(&b->expand, p, wide, in, 1, name);
    }
    (void)snprintf(name, sizeof name, "unet.encoder.block.%d.depthwise", number);
    mdf_normed_conv_declare(&b->depthwise, p, wide, 1, s->kernel, name);
    (void)snprintf(name, sizeof name, "unet.encoder.block.%d.project", number);
    mdf_normed_conv_declare(&b->project, p, s->channels, wide, 1, name);
}

void mdf_efficientnet_declare(mdf_efficientnet *e, mdf_params *p)
{
    int64_t in = STEM;
    int number = 0;
    mdf_normed_conv_declare(&e->stem, p, STEM, 3, 3, "unet.encoder.stem");
    for (int i = 0; i < STAGES; i++) {
        for (int j = 0; j < stages[i].repeats; j++) {
            declare_block(&e->block[number], p, &stages[i], number, in, j == 0);
            in = stages[i].channels;
            number++;
        }
    }
}

/* The layer with its norm folded in. */
typedef struct folded {
    mdf_tensor *w, *b;
} folded;

static folded fold(mdf_graph *g, const mdf_normed_conv *c)
{
    return (folded){mdf_fold_norm_weight(g, c->w, c->gamma, c->var, norm_eps),
                    mdf_fold_norm_bias(g, c->gamma, c->beta, c->mean, c->var, norm_eps)};
}

/* Does this forward normalise with the statistics of its batch? Not where the layer is frozen. */
static bool by_batch(const mdf_graph *g, const mdf_normed_conv *c)
{
    return c->momentum > 0 && (!g->train || mdf_wants_grad(g, c->w));
}

/* Norm and clip of x, the layer's plain product. */
static mdf_tensor *normalise(mdf_graph *g, const mdf_normed_conv *c, mdf_tensor *x, mdf_clip clip)
{
    const mdf_norm norm = {c->gamma, c->beta, c->mean, c->var, norm_eps};
    return mdf_batch_norm(g, x, &norm, (mdf_real)c->momentum, clip);
}

void mdf_efficientnet_by_batch(mdf_efficientnet *e, double momentum)
{
    e->stem.momentum = momentum;
    for (int i = 0; i < MDF_EFFICIENTNET_BLOCKS; i++) {
        mdf_efficientnet_block *b = &e->block[i];
        b->expand.momentum = b->depthwise.momentum = b->project.momentum = momentum;
    }
}

mdf_tensor *mdf_normed_conv_run(mdf_graph *g, const mdf_normed_conv *c, mdf_tensor *x,
                                mdf_clip clip)
{
    if (by_batch(g, c)) {
        const int64_t out = c->w->dim[0];
        mdf_tensor *w = mdf_reshape(g, c->w, 2, (int64_t[]){out, mdf_tensor_count(c->w) / out});
        return normalise(g, c, mdf_linear(g, x, w, NULL), clip);
    }
    const folded f = fold(g, c);
    return mdf_linear_clip(g, x, f.w, f.b, clip);
}

static mdf_tensor *depthwise(mdf_graph *g, const mdf_efficientnet_block *b, mdf_tensor *x)
{
    const mdf_normed_conv *c = &b->depthwise;
    if (by_batch(g, c)) {
        mdf_tensor *none = mdf_zeros(g, 1, c->w->dim);
        return normalise(g, c, mdf_depthwise(g, x, c->w, none, b->stride, mdf_no_clip()),
                         mdf_relu6());
    }
    const folded f = fold(g, c);
    return mdf_depthwise(g, x, f.w, f.b, b->stride, mdf_relu6());
}

/* x [B,H,W,Cin] -> [B,H/stride,W/stride,C] */
static mdf_tensor *run_block(mdf_graph *g, const mdf_efficientnet_block *b, mdf_tensor *x)
{
    mdf_tensor *y = b->expand.w == NULL ? x : mdf_normed_conv_run(g, &b->expand, x, mdf_relu6());
    y = depthwise(g, b, y);
    y = mdf_normed_conv_run(g, &b->project, y, mdf_no_clip());
    return b->shortcut ? mdf_add(g, x, y) : y;
}

void mdf_efficientnet_encode(mdf_graph *g, const mdf_efficientnet *e, mdf_tensor *image,
                             mdf_tap *tap, mdf_tensor *level[6])
{
    mdf_tensor *x = mdf_normed_conv_run(g, &e->stem, mdf_unfold(g, image, 3, 2), mdf_relu6());
    int number = 0;
    for (int i = 0; i < STAGES; i++) {
        for (int j = 0; j < stages[i].repeats; j++) {
            x = run_block(g, &e->block[number++], x);
        }
        const int l = stages[i].level;
        if (l != 0) {
            x = mdf_tap_into(g, tap == NULL ? NULL : &tap[l], x);
            level[l] = x;
        }
    }
}
