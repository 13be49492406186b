/* The detail path: a U-Net whose encoder skips are fused into the language model and whose decoder
 * draws masks (docs/MODEL.md section 2). */
#include "nn/unet.h"

static const mdf_real norm_eps = MDF_R(1e-5);

int64_t mdf_unet_channels(const mdf_config *c, int level)
{
    if (c->unet.encoder == MDF_ENCODER_EFFICIENTNET_LITE0) {
        return mdf_efficientnet_channels(level);
    }
    return (int64_t)c->unet.base << (level - 1);
}

static void declare_block(mdf_unet_block *b, mdf_params *p, int64_t cin, int64_t c,
                          const char *name)
{
    const mdf_group u = MDF_GROUP_UNET;
    b->conv1 =
        mdf_param_add(p, u, MDF_INIT_HE, 0, 4, (int64_t[]){c, cin, 3, 3}, "%s.conv1.weight", name);
    b->norm1_w = mdf_param_add(p, u, MDF_INIT_ONE, 0, 1, &c, "%s.norm1.weight", name);
    b->norm1_b = mdf_param_add(p, u, MDF_INIT_ZERO, 0, 1, &c, "%s.norm1.bias", name);
    b->conv2 =
        mdf_param_add(p, u, MDF_INIT_HE, 0, 4, (int64_t[]){c, c, 3, 3}, "%s.conv2.weight", name);
    b->norm2_w = mdf_param_add(p, u, MDF_INIT_ONE, 0, 1, &c, "%s.norm2.weight", name);
    b->norm2_b = mdf_param_add(p, u, MDF_INIT_ZERO, 0, 1, &c, "%s.norm2.bias", name);
}

/* Stage l of the decoder: from `below` channels to ch, beside a skip of as many. */
static void declare_stage(mdf_unet *u, mdf_params *p, int l, int64_t below, int64_t ch)
{
    static const char *const dec[] = {"unet.dec.0", "unet.dec.1", "unet.dec.2", "unet.dec.3",
                                      "unet.dec.4"};
    u->up_w[l] = mdf_param_add(p, MDF_GROUP_UNET, MDF_INIT_HE, 0, 4, (int64_t[]){below, ch, 2, 2},
                               "%s.up.weight", dec[l]);
    u->up_b[l] = mdf_param_add(p, MDF_GROUP_UNET, MDF_INIT_ZERO, 0, 1, &ch, "%s.up.bias", dec[l]);
    declare_block(&u->dec[l], p, 2 * ch, ch, dec[l]);
}

static void declare_encoder(mdf_unet *u, const mdf_config *c, mdf_params *p)
{
    static const char *const enc[] = {"", "unet.enc.1", "unet.enc.2", "unet.enc.3", "unet.enc.4"};
    if (u->encoder == MDF_ENCODER_EFFICIENTNET_LITE0) {
        mdf_efficientnet_declare(&u->net, p);
        return;
    }
    for (int l = 1; l <= MDF_UNET_LEVELS; l++) {
        const int64_t cin = l == 1 ? 3 : mdf_unet_channels(c, l - 1);
        declare_block(&u->enc[l], p, cin, mdf_unet_channels(c, l), enc[l]);
    }
    declare_block(&u->mid, p, mdf_unet_channels(c, 4), mdf_unet_channels(c, 5), "unet.mid");
}

void mdf_unet_declare(mdf_unet *u, const mdf_config *c, mdf_params *p)
{
    *u = (mdf_unet){.encoder = c->unet.encoder, .groups = c->unet.norm_groups};
    declare_encoder(u, c, p);
    if (c->unet.mask_channels == 0) {
        return;
    }
    for (int l = MDF_UNET_LEVELS; l >= 1; l--) {
        declare_stage(u, p, l, mdf_unet_channels(c, l + 1), mdf_unet_channels(c, l));
    }
    const int64_t base = c->unet.base;
    if (u->encoder != MDF_ENCODER_PLAIN) {
        declare_block(&u->enc[0], p, 3, base, "unet.enc.0");
        declare_stage(u, p, 0, mdf_unet_channels(c, 1), base);
    }
    const int64_t m = c->unet.mask_channels;
    u->head_w = mdf_param_add(p, MDF_GROUP_UNET, MDF_INIT_HE, 0, 4, (int64_t[]){m, base, 1, 1},
                              "unet.head.weight");
    u->head_b = mdf_param_add(p, MDF_GROUP_UNET, MDF_INIT_ZERO, 0, 1, &m, "unet.head.bias");
}

/* (conv3x3 - norm - relu) twice.   x [B,H,W,Cin] -> [B,H,W,C] */
static mdf_tensor *block(mdf_graph *g, const mdf_unet_block *b, int64_t groups, mdf_tensor *x)
{
    x = mdf_conv2d(g, x, b->conv1, NULL);
    x = mdf_group_norm(g, x, b->norm1_w, b->norm1_b, groups, norm_eps, true);
    x = mdf_conv2d(g, x, b->conv2, NULL);
    return mdf_group_norm(g, x, b->norm2_w, b->norm2_b, groups, norm_eps, true);
}

mdf_unet_features mdf_unet_encode(mdf_graph *g, const mdf_unet *u, mdf_tensor *image,
                                  mdf_taps *taps)
{
    mdf_tap *tap = taps != NULL && taps->levels ? taps->level : NULL;
    mdf_unet_features f = {.image = image};
    if (u->encoder == MDF_ENCODER_EFFICIENTNET_LITE0) {
        mdf_tensor *level[MDF_UNET_LEVELS + 2] = {NULL};
        mdf_efficientnet_encode(g, &u->net, image, tap, level);
        for (int l = 1; l <= MDF_UNET_LEVELS; l++) {
            f.skip[l] = level[l];
        }
        f.mid = level[MDF_UNET_LEVELS + 1];
        return f;
    }
    mdf_tensor *x = image;
    for (int l = 1; l <= MDF_UNET_LEVELS; l++) {
        f.skip[l] = block(g, &u->enc[l], u->groups, x);
        f.skip[l] = mdf_tap_into(g, tap == NULL ? NULL : &tap[l], f.skip[l]);
        x = mdf_max_pool2x2(g, f.skip[l]);
    }
    f.mid = block(g, &u->mid, u->groups, x);
    f.mid = mdf_tap_into(g, tap == NULL ? NULL : &tap[MDF_TAP_LEVELS], f.mid);
    return f;
}

mdf_tensor *mdf_unet_decode(mdf_graph *g, const mdf_unet *u, const mdf_unet_features *f)
{
    const bool detail = u->encoder != MDF_ENCODER_PLAIN;
    mdf_tensor *d = f->mid;
    for (int l = MDF_UNET_LEVELS; l >= (detail ? 0 : 1); l--) {
        mdf_tensor *up = mdf_conv_transpose2x2(g, d, u->up_w[l], u->up_b[l]);
        mdf_tensor *skip = l > 0 ? f->skip[l] : block(g, &u->enc[0], u->groups, f->image);
        d = mdf_concat_channels(g, up, skip);
        mdf_forget(g, up); /* the copy is all that backward reads */
        d = block(g, &u->dec[l], u->groups, d);
    }
    return mdf_conv2d(g, d, u->head_w, u->head_b);
}
