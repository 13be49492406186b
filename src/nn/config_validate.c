/* Do the numbers of a configuration fit each other? */
#include <string.h>

#include "nn/config.h"

bool mdf_config_uses_level(const mdf_config *c, int level)
{
    for (int i = 0; i < c->fusion.map_count; i++) {
        if (c->fusion.map[i].level == level) {
            return true;
        }
    }
    return false;
}

int mdf_config_aspect_ratios(const mdf_config *c)
{
    int count = 0;
    for (int a = 1; a <= c->vision.max_num_tiles; a++) {
        count += c->vision.max_num_tiles / a;
    }
    return count;
}

static mdf_status check_text(const mdf_config *c, mdf_error *err)
{
    const mdf_text_config *t = &c->text;
    if (t->hidden_size % (2 * t->num_attention_heads) != 0) {
        return mdf_fail(err, MDF_ERR_ARG,
                        "text_config.hidden_size %d must be an even multiple of %d heads",
                        t->hidden_size, t->num_attention_heads);
    }
    if (t->num_attention_heads % t->num_key_value_heads != 0) {
        return mdf_fail(err, MDF_ERR_ARG,
                        "text_config.num_attention_heads %d must be a multiple of "
                        "num_key_value_heads %d",
                        t->num_attention_heads, t->num_key_value_heads);
    }
    for (int i = 0; i < t->cross_count; i++) {
        if (t->cross_attention_layers[i] >= t->num_hidden_layers ||
            (i > 0 && t->cross_attention_layers[i] <= t->cross_attention_layers[i - 1])) {
            return mdf_fail(err, MDF_ERR_ARG,
                            "text_config.cross_attention_layers must rise and stay below %d",
                            t->num_hidden_layers);
        }
    }
    if (c->image_token_index < t->vocab_size || c->image_token_index >= t->vocab_size + 8) {
        return mdf_fail(err, MDF_ERR_ARG,
                        "image_token_index %d must be one of the 8 ids behind vocab_size %d",
                        c->image_token_index, t->vocab_size);
    }
    return MDF_OK;
}

static mdf_status check_vision(const mdf_config *c, mdf_error *err)
{
    const mdf_vision_config *v = &c->vision;
    if (v->hidden_size % v->attention_heads != 0) {
        return mdf_fail(err, MDF_ERR_ARG,
                        "vision_config.hidden_size %d must be a multiple of attention_heads %d",
                        v->hidden_size, v->attention_heads);
    }
    if (v->image_size % v->patch_size != 0) {
        return mdf_fail(err, MDF_ERR_ARG,
                        "vision_config.image_size %d must be a multiple of patch_size %d",
                        v->image_size, v->patch_size);
    }
    for (int i = 0; i < v->intermediate_count; i++) {
        if (v->intermediate_layers_indices[i] >= v->num_hidden_layers ||
            (i > 0 && v->intermediate_layers_indices[i] <= v->intermediate_layers_indices[i - 1])) {
            return mdf_fail(err, MDF_ERR_ARG,
                            "vision_config.intermediate_layers_indices must rise and stay below %d",
                            v->num_hidden_layers);
        }
    }
    return MDF_OK;
}

static mdf_status check_fusion(const mdf_config *c, mdf_error *err)
{
    const int side = c->fusion.grid * c->fusion.cells;
    if (c->unet.image_size % 16 != 0) {
        return mdf_fail(err, MDF_ERR_ARG, "unet_config.image_size %d must be a multiple of 16",
                        c->unet.image_size);
    }
    if (c->unet.base % c->unet.norm_groups != 0) {
        return mdf_fail(err, MDF_ERR_ARG,
                        "unet_config.base %d must be a multiple of norm_groups %d", c->unet.base,
                        c->unet.norm_groups);
    }
    for (int i = 0; i < c->fusion.map_count; i++) {
        const mdf_map_entry *e = &c->fusion.map[i];
        bool cross = false;
        for (int j = 0; j < c->text.cross_count; j++) {
            cross = cross || c->text.cross_attention_layers[j] == e->layer;
        }
        if (!cross) {
            return mdf_fail(err, MDF_ERR_ARG,
                            "fusion_config.map: layer %d is no cross-attention layer", e->layer);
        }
        const int size = c->unet.image_size >> (e->level - 1);
        if (size % side != 0) {
            return mdf_fail(err, MDF_ERR_ARG,
                            "fusion_config: level %d is %d pixels wide, no multiple of grid x "
                            "cells = %d",
                            e->level, size, side);
        }
        for (int j = 0; c->fusion.attend == MDF_FUSION_CONCAT && j < i; j++) {
            if (c->fusion.map[j].layer == e->layer) {
                return mdf_fail(err, MDF_ERR_ARG,
                                "fusion_config.map: layer %d stands there twice, which attend "
                                "\"concat\" does not allow",
                                e->layer);
            }
        }
    }
    return MDF_OK;
}

mdf_status mdf_config_validate(const mdf_config *c, mdf_error *err)
{
    MDF_TRY(check_text(c, err));
    MDF_TRY(check_vision(c, err));
    MDF_TRY(check_fusion(c, err));
    for (int i = 0; i < c->answer.label_count; i++) {
        for (int j = 0; j < i; j++) {
            if (strcmp(c->answer.labels[i], c->answer.labels[j]) == 0) {
                return mdf_fail(err, MDF_ERR_ARG, "answer_config.labels: \"%s\" stands there twice",
                                c->answer.labels[i]);
            }
        }
    }
    return MDF_OK;
}
