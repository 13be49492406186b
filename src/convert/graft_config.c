/* Settings of a model that is grafted on a language model. */
#include <string.h>

#include "convert/graft.h"

/* Cross layer i of n among `self` self-attention layers, counted in the result. */
static int evenly(int i, int n, int self)
{
    return (4 * i + 3) * self / (4 * n) + i;
}

static mdf_status insert_cross_layers(mdf_text_config *t, const mdf_graft_options *opt,
                                      mdf_error *err)
{
    const int self = t->num_hidden_layers;
    const int n = opt->cross_count > 0 ? opt->cross_count : opt->config->text.cross_count;
    if (n < 1 || n > self || self + n > MDF_MAX_LAYERS) {
        return mdf_fail(err, MDF_ERR_ARG,
                        "%s: %d cross-attention layers do not fit between %d layers", opt->source,
                        n, self);
    }
    t->num_hidden_layers = self + n;
    t->cross_count = n;
    for (int i = 0; i < n; i++) {
        const int at = opt->cross_count > 0 ? opt->cross[i] : evenly(i, n, self);
        if (at < 0 || at >= self + n || (i > 0 && at <= t->cross_attention_layers[i - 1])) {
            return mdf_fail(err, MDF_ERR_ARG,
                            "cross-attention layer %d: want ascending layers below %d", at,
                            self + n);
        }
        t->cross_attention_layers[i] = at;
    }
    return MDF_OK;
}

static int rank_of(const mdf_text_config *t, int layer)
{
    for (int i = 0; i < t->cross_count; i++) {
        if (t->cross_attention_layers[i] == layer) {
            return i;
        }
    }
    return 0; /* a valid map names cross layers only */
}

/* The map's layers, by their share of the way through the cross layers. */
static void move_map(mdf_fusion_config *f, const mdf_text_config *from, const mdf_text_config *to)
{
    for (int i = 0; i < f->map_count; i++) {
        const int rank = rank_of(from, f->map[i].layer);
        const int n = from->cross_count;
        f->map[i].layer = to->cross_attention_layers[(2 * rank + 1) * to->cross_count / (2 * n)];
    }
}

mdf_status mdf_graft_config(mdf_config *out, const mdf_config *source, const mdf_graft_options *opt,
                            mdf_error *err)
{
    const mdf_config *rest = opt->config;
    if (!mdf_config_has_unet(rest) || rest->text.cross_count < 1) {
        return mdf_fail(err, MDF_ERR_ARG,
                        "the settings to graft need a unet_config and cross-attention layers");
    }
    *out = *rest;
    mdf_config_forget(out);
    out->text = source->text;
    out->text.initializer_range = rest->text.initializer_range;
    out->text.gate_init = rest->text.gate_init;
    out->tokenizer = source->tokenizer;
    out->image_token_index = source->text.vocab_size;
    if (mdf_config_has_vision(source)) {
        if (opt->cross_count > 0) {
            return mdf_fail(err, MDF_ERR_ARG,
                            "%s has cross-attention layers already; leave their list out",
                            opt->source);
        }
        out->vision = source->vision;
    } else {
        if (!mdf_config_has_vision(rest)) {
            return mdf_fail(err, MDF_ERR_ARG,
                            "the settings to graft on a text model need a vision_config");
        }
        MDF_TRY(insert_cross_layers(&out->text, opt, err));
    }
    move_map(&out->fusion, &rest->text, &out->text);
    return mdf_config_validate(out, err);
}
