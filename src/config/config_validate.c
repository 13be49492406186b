/* What settings must have in common, and sizes that follow from them. Every check is one sentence.
 */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "config/config.h"

bool mdf_config_uses_level(const mdf_config *c, int level)
{
    for (int i = 0; i < c->fusion.map_count; i++) {
        if (c->fusion.map[i].level == level) {
            return true;
        }
    }
    return false;
}

bool mdf_config_has_vision(const mdf_config *c)
{
    return c->vision.hidden_size > 0;
}

int mdf_config_unet_side(const mdf_config *c, int level)
{
    return c->unet.image_size >> (c->unet.encoder == MDF_ENCODER_PLAIN ? level - 1 : level);
}

int mdf_config_crop_side(const mdf_config *c)
{
    const int a = c->unet.image_size;
    const int b = c->vision.image_size;
    return (a > b ? a : b) * 5 / 4;
}

int mdf_config_region_side(const mdf_config *c)
{
    return c->unet.region_side > 0 ? c->unet.region_side : c->unet.image_size;
}

bool mdf_config_has_unet(const mdf_config *c)
{
    return c->unet.base > 0;
}

int mdf_config_embedding_rows(const mdf_config *c)
{
    enum { EXTRA_ROWS = 8 }; /* special inputs behind the vocabulary; the first is the image */
    return c->text.vocab_size + (mdf_config_has_vision(c) ? EXTRA_ROWS : 0);
}

bool mdf_config_is_cross_layer(const mdf_config *c, int layer)
{
    for (int i = 0; i < c->text.cross_count; i++) {
        if (c->text.cross_attention_layers[i] == layer) {
            return true;
        }
    }
    return false;
}

bool mdf_config_fuses_at(const mdf_config *c, int layer)
{
    for (int i = 0; i < c->fusion.map_count; i++) {
        if (c->fusion.map[i].layer == layer) {
            return true;
        }
    }
    return false;
}

int mdf_config_aspect_ratios(const mdf_config *c)
{
    int n = 0;
    for (int h = 1; h <= c->vision.max_num_tiles; h++) {
        n += c->vision.max_num_tiles / h;
    }
    return n;
}

int mdf_config_vision_output(const mdf_config *c)
{
    return c->vision.hidden_size * (1 + c->vision.intermediate_count);
}

static mdf_status check_divides(const char *whole, int n, const char *part, int d, mdf_error *err)
{
    if (n % d != 0) {
        return mdf_fail(err, MDF_ERR_ARG, "%s = %d must be a multiple of %s = %d", whole, n, part,
                        d);
    }
    return MDF_OK;
}

static mdf_status check_ascending(const char *what, const int *item, int n, int below,
                                  mdf_error *err)
{
    for (int i = 0; i < n; i++) {
        if (item[i] >= below) {
            return mdf_fail(err, MDF_ERR_ARG, "%s names layer %d, but the last layer is %d", what,
                            item[i], below - 1);
        }
        if (i > 0 && item[i] <= item[i - 1]) {
            return mdf_fail(err, MDF_ERR_ARG,
                            "%s must be ascending without repeats, but %d follows %d", what,
                            item[i], item[i - 1]);
        }
    }
    return MDF_OK;
}

/* Any order, and a layer may come twice: the states are joined as they are listed. */
static mdf_status check_intermediate(const mdf_vision_config *v, mdf_error *err)
{
    for (int i = 0; i < v->intermediate_count; i++) {
        if (v->intermediate_layers_indices[i] >= v->num_hidden_layers) {
            return mdf_fail(err, MDF_ERR_ARG,
                            "vision_config.intermediate_layers_indices names layer %d, but the "
                            "last layer is %d",
                            v->intermediate_layers_indices[i], v->num_hidden_layers - 1);
        }
    }
    return MDF_OK;
}

static mdf_status check_rope(const mdf_rope_scaling *s, mdf_error *err)
{
    if (s->enabled &&
        (s->factor < 1 || s->low_freq_factor <= 0 || s->original_max_position_embeddings < 1)) {
        return mdf_fail(err, MDF_ERR_ARG,
                        "text_config.rope_scaling needs factor, low_freq_factor, high_freq_factor "
                        "and original_max_position_embeddings");
    }
    if (s->enabled && s->high_freq_factor <= s->low_freq_factor) {
        return mdf_fail(err, MDF_ERR_ARG,
                        "text_config.rope_scaling: high_freq_factor = %g must be greater than "
                        "low_freq_factor = %g",
                        s->high_freq_factor, s->low_freq_factor);
    }
    return MDF_OK;
}

static mdf_status check_text(const mdf_text_config *t, mdf_error *err)
{
    MDF_TRY(check_divides("text_config.hidden_size", t->hidden_size, "num_attention_heads",
                          t->num_attention_heads, err));
    MDF_TRY(check_divides("text_config.num_attention_heads", t->num_attention_heads,
                          "num_key_value_heads", t->num_key_value_heads, err));
    const int head = t->hidden_size / t->num_attention_heads;
    if (head % 2 != 0) {
        return mdf_fail(err, MDF_ERR_ARG,
                        "text_config: a head has hidden_size / num_attention_heads = %d numbers, "
                        "but rotary positions need an even count",
                        head);
    }
    MDF_TRY(check_ascending("text_config.cross_attention_layers", t->cross_attention_layers,
                            t->cross_count, t->num_hidden_layers, err));
    if (t->eos_count == 0) {
        return mdf_fail(err, MDF_ERR_ARG, "text_config.eos_token_id is an empty list");
    }
    return check_rope(&t->rope_scaling, err);
}

/* The ids of the byte tokenizer are fixed (docs/MODEL.md section 5). */
static mdf_status check_tokens(const mdf_config *c, mdf_error *err)
{
    enum { BOS = 256, EOT = 259, PAD = 260 };
    const mdf_text_config *t = &c->text;
    if (c->image_token_index != t->vocab_size) {
        return mdf_fail(err, MDF_ERR_ARG,
                        "image_token_index = %d must equal text_config.vocab_size = %d",
                        c->image_token_index, t->vocab_size);
    }
    if (c->tokenizer != MDF_TOKENIZER_BYTES) {
        return MDF_OK;
    }
    if (t->vocab_size <= PAD) {
        return mdf_fail(
            err, MDF_ERR_ARG,
            "text_config.vocab_size = %d is too small: the byte tokenizer has %d tokens",
            t->vocab_size, PAD + 1);
    }
    if (t->bos_token_id != BOS || t->eos_count != 1 || t->eos_token_id[0] != EOT ||
        t->pad_token_id != PAD) {
        return mdf_fail(err, MDF_ERR_ARG,
                        "text_config: the byte tokenizer needs bos_token_id = %d, eos_token_id = "
                        "%d, pad_token_id = %d",
                        BOS, EOT, PAD);
    }
    return MDF_OK;
}

static mdf_status check_vision(const mdf_config *c, mdf_error *err)
{
    const mdf_vision_config *v = &c->vision;
    if (!mdf_config_has_vision(c)) {
        return c->text.cross_count == 0
                   ? MDF_OK
                   : mdf_fail(err, MDF_ERR_ARG,
                              "text_config.cross_attention_layers needs a vision_config");
    }
    MDF_TRY(check_divides("vision_config.hidden_size", v->hidden_size, "attention_heads",
                          v->attention_heads, err));
    MDF_TRY(
        check_divides("vision_config.image_size", v->image_size, "patch_size", v->patch_size, err));
    return check_intermediate(v, err);
}

static mdf_status check_unet(const mdf_config *c, mdf_error *err)
{
    const mdf_unet_config *u = &c->unet;
    if (!mdf_config_has_unet(c)) {
        return c->fusion.map_count == 0 && c->train.aux_weight == 0 && !c->answer.image_head
                   ? MDF_OK
                   : mdf_fail(
                         err, MDF_ERR_ARG,
                         "fusion_config.map, answer_config.image_head and train_config.aux_weight "
                         "need a unet_config");
    }
    const bool plain = u->encoder == MDF_ENCODER_PLAIN;
    const int unit = plain ? 16 : 32;
    if (u->image_size % unit != 0) {
        return mdf_fail(err, MDF_ERR_ARG, "unet_config.image_size = %d must be a multiple of %d",
                        u->image_size, unit);
    }
    if (u->region_side % unit != 0 || u->region_side > u->image_size) {
        return mdf_fail(err, MDF_ERR_ARG,
                        "unet_config.region_side = %d must be a multiple of %d, at most image_size",
                        u->region_side, unit);
    }
    if (!plain && 8 % u->norm_groups != 0) {
        return mdf_fail(err, MDF_ERR_ARG,
                        "unet_config.norm_groups = %d must be 1, 2, 4 or 8: the levels of "
                        "efficientnet_lite0 have 16, 24, 40 and 112 channels",
                        u->norm_groups);
    }
    return check_divides("unet_config.base", u->base, "norm_groups", u->norm_groups, err);
}

static mdf_status check_level(const mdf_config *c, int level, mdf_error *err)
{
    const int side = mdf_config_unet_side(c, level);
    const int cells = c->fusion.grid * c->fusion.cells;
    if (side % cells != 0) {
        return mdf_fail(err, MDF_ERR_ARG,
                        "fusion_config: level %d is %d pixels wide, which grid * cells = %d does "
                        "not divide",
                        level, side, cells);
    }
    return MDF_OK;
}

static mdf_status check_pair(const mdf_config *c, int i, mdf_error *err)
{
    const mdf_map_entry p = c->fusion.map[i];
    if (p.level < 1 || p.level > MDF_CONFIG_LEVELS) {
        return mdf_fail(err, MDF_ERR_ARG,
                        "fusion_config.map[%d] names level %d: levels are 1 to %d", i, p.level,
                        MDF_CONFIG_LEVELS);
    }
    if (!mdf_config_is_cross_layer(c, p.layer)) {
        return mdf_fail(err, MDF_ERR_ARG,
                        "fusion_config.map[%d] names layer %d, which is not one of "
                        "text_config.cross_attention_layers",
                        i, p.layer);
    }
    for (int j = 0; j < i; j++) {
        if (c->fusion.map[j].layer == p.layer && c->fusion.map[j].level == p.level) {
            return mdf_fail(err, MDF_ERR_ARG, "fusion_config.map has [%d, %d] twice", p.layer,
                            p.level);
        }
    }
    if (i > 0 && c->fusion.map[i - 1].layer > p.layer) {
        return mdf_fail(err, MDF_ERR_ARG,
                        "fusion_config.map must be in the order of the layers, but "
                        "%d follows %d",
                        p.layer, c->fusion.map[i - 1].layer);
    }
    if (i > 0 && c->fusion.attend == MDF_FUSION_CONCAT && c->fusion.map[i - 1].layer == p.layer) {
        return mdf_fail(err, MDF_ERR_ARG,
                        "fusion_config.map gives layer %d two levels, but attend = \"concat\" "
                        "takes one per layer",
                        p.layer);
    }
    return check_level(c, p.level, err);
}

static mdf_status check_fusion(const mdf_config *c, mdf_error *err)
{
    for (int i = 0; i < c->fusion.map_count; i++) {
        MDF_TRY(check_pair(c, i, err));
    }
    if (c->fusion.attend == MDF_FUSION_CONCAT &&
        c->fusion.film_direction == MDF_FILM_UNET_TO_TEXT) {
        return mdf_fail(err, MDF_ERR_ARG,
                        "fusion_config.film_direction = \"unet_to_text\" modulates the branch, "
                        "which attend = \"concat\" does not have");
    }
    return MDF_OK;
}

static mdf_status check_labels(const mdf_answer_config *a, mdf_error *err)
{
    for (int i = 0; i < a->label_count; i++) {
        for (int j = 0; j < i; j++) {
            if (strcmp(a->labels[i], a->labels[j]) == 0) {
                return mdf_fail(err, MDF_ERR_ARG, "answer_config.labels has \"%s\" twice",
                                a->labels[i]);
            }
        }
    }
    if (a->label_count == 1) {
        return mdf_fail(err, MDF_ERR_ARG, "answer_config.labels needs at least two labels");
    }
    return MDF_OK;
}

/* Every stage must be a training of its own. */
static mdf_status check_stages(const mdf_config *c, mdf_error *err)
{
    mdf_config *stage = c->train.stage_count > 0 ? mdf_alloc(1, sizeof *stage) : NULL;
    if (c->train.stage_count > 0 && stage == NULL) {
        return mdf_fail(err, MDF_ERR_NOMEM, "out of memory for a stage's configuration");
    }
    mdf_status status = MDF_OK;
    for (int i = 0; status == MDF_OK && i < c->train.stage_count; i++) {
        status = mdf_config_stage(stage, c, i, err);
        if (status == MDF_OK) {
            status = mdf_config_validate(stage, err);
            char where[64];
            (void)snprintf(where, sizeof where, "train_config.stages[%d]", i);
            status = status == MDF_OK ? status : mdf_fail_prefix(err, status, where);
        }
    }
    mdf_free(stage);
    return status;
}

int mdf_config_truths(int n, int labels)
{
    int most = MDF_MAX_TRUTHS / labels;
    most = most < MDF_MAX_LABEL_TRUTH ? most : MDF_MAX_LABEL_TRUTH;
    return n < most ? n : most;
}

void mdf_config_forget(mdf_config *c)
{
    c->answer.temperature = 1;
    c->doubt = (mdf_doubt_config){0};
}

bool mdf_config_has_doubt(const mdf_config *c)
{
    return c->doubt.label_count > 0 || c->doubt.pictures > 0;
}

/* The truths of every label, of which the list says only the count, one behind the other. */
static mdf_status check_truths(const mdf_config *c, mdf_error *err)
{
    const mdf_doubt_config *d = &c->doubt;
    int at = 0;
    if (d->label_count != 0 && d->label_count != c->answer.label_count) {
        return mdf_fail(err, MDF_ERR_ARG,
                        "doubt_config.label_cases has %d numbers for %d answer_config.labels",
                        d->label_count, c->answer.label_count);
    }
    for (int k = 0; k < d->label_count; k++) {
        const int n = mdf_config_truths(d->label_cases[k], d->label_count);
        for (int i = at + 1; i < at + n && i < d->truth_count; i++) {
            if (d->truth[i] > d->truth[i - 1]) {
                return mdf_fail(err, MDF_ERR_ARG,
                                "doubt_config.truth must fall within a label, but %g follows %g",
                                d->truth[i], d->truth[i - 1]);
            }
        }
        at += n;
    }
    return at == d->truth_count
               ? MDF_OK
               : mdf_fail(err, MDF_ERR_ARG,
                          "doubt_config.truth has %d numbers, but label_cases wants %d",
                          d->truth_count, at);
}

static mdf_status check_doubt(const mdf_config *c, mdf_error *err)
{
    const mdf_doubt_config *d = &c->doubt;
    MDF_TRY(check_truths(c, err));
    const int kept = d->pictures < MDF_MAX_SIGNATURES ? d->pictures : MDF_MAX_SIGNATURES;
    if (d->signature_count != kept * MDF_SIGNATURE ||
        d->scale_count != (kept > 0 ? MDF_SIGNATURE : 0)) {
        return mdf_fail(err, MDF_ERR_ARG,
                        "doubt_config: of %d pictures, signature must have %d numbers and "
                        "signature_scale %d",
                        d->pictures, kept * MDF_SIGNATURE, kept > 0 ? MDF_SIGNATURE : 0);
    }
    if (kept == 0 && (d->distance_share != 0 || d->distance_limit != 0)) {
        return mdf_fail(err, MDF_ERR_ARG,
                        "doubt_config: a distance is one to pictures, and there are none");
    }
    return MDF_OK;
}

mdf_status mdf_config_validate(const mdf_config *c, mdf_error *err)
{
    MDF_TRY(check_text(&c->text, err));
    MDF_TRY(check_tokens(c, err));
    MDF_TRY(check_vision(c, err));
    MDF_TRY(check_unet(c, err));
    MDF_TRY(check_fusion(c, err));
    MDF_TRY(check_labels(&c->answer, err));
    MDF_TRY(check_doubt(c, err));
    const mdf_train_config *t = &c->train;
    if (t->task == MDF_TASK_PICTURE && !(c->answer.image_head && t->use_image && t->use_unet)) {
        return mdf_fail(err, MDF_ERR_ARG,
                        "train_config.task = \"picture\" needs answer_config.image_head, "
                        "use_image and use_unet");
    }
    if (t->task == MDF_TASK_SEGMENT &&
        (c->unet.mask_channels == 0 || !t->use_image || !t->use_unet)) {
        return mdf_fail(
            err, MDF_ERR_ARG,
            "train_config.task = \"segment\" needs unet_config.masks, use_image and use_unet");
    }
    for (int i = 0; i < t->crop.focus_count; i++) {
        bool drawn = false;
        for (int k = 0; k < c->unet.mask_channels; k++) {
            drawn = drawn || c->unet.masks[k] == t->crop.focus[i];
        }
        if (!drawn) {
            return mdf_fail(err, MDF_ERR_ARG,
                            "train_config.crop.focus: \"%s\" is none of unet_config.masks",
                            mdf_mask_names[t->crop.focus[i]]);
        }
    }
    if (t->picture_side > 0 &&
        (t->task != MDF_TASK_PICTURE || t->picture_side % 32 != 0 ||
         t->picture_side > c->unet.image_size || (t->mask_weight > 0 && !t->mask_crops))) {
        return mdf_fail(err, MDF_ERR_ARG,
                        "train_config.picture_side = %d must be a multiple of 32, at most "
                        "unet_config.image_size, of task \"picture\", with masks from crops "
                        "(mask_crops) or none (mask_weight 0)",
                        t->picture_side);
    }
    if (t->mask_crops && (t->task == MDF_TASK_SEGMENT || c->unet.mask_channels == 0 ||
                          t->mask_weight <= 0 || !t->use_image || !t->use_unet)) {
        return mdf_fail(err, MDF_ERR_ARG,
                        "train_config.mask_crops needs unet_config.masks, mask_weight above 0, "
                        "use_image and use_unet; task \"segment\" learns from crops without it");
    }
    if (t->monitor == MDF_MONITOR_DICE && t->task != MDF_TASK_SEGMENT) {
        return mdf_fail(err, MDF_ERR_ARG,
                        "train_config.monitor = \"dice\" needs train_config.task = \"segment\"");
    }
    if (t->clip_per_tensor && t->clip_norm <= 0) {
        return mdf_fail(
            err, MDF_ERR_ARG,
            "train_config.clip_per_tensor needs clip_norm above 0, the norm to clip to");
    }
    if (!t->use_image && !t->use_text && !t->use_unet) {
        return mdf_fail(err, MDF_ERR_ARG,
                        "train_config: use_image, use_text and use_unet are all false: nothing is "
                        "left to see");
    }
    return check_stages(c, err);
}
