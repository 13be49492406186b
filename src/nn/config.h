/* The configuration: what a preset or a run's config.json says, checked once, then plain numbers.
 *
 * Keys and structure are those of presets/tiny.json; the text and vision parts take the keys of
 * Hugging Face's mllama config. An unknown key is an error that names it and suggests the nearest. */
#ifndef MDF_NN_CONFIG_H
#define MDF_NN_CONFIG_H

#include "base/limits.h"
#include "base/status.h"
#include "base/strbuf.h"

enum { MDF_MAX_LEVEL_MAP = 64, MDF_MAX_INTERMEDIATE = 7 };

typedef struct mdf_rope_scaling {
    bool enabled;
    double factor, low_freq_factor, high_freq_factor;
    int original_max_position_embeddings;
} mdf_rope_scaling;

typedef struct mdf_text_config {
    int vocab_size, hidden_size, num_hidden_layers, num_attention_heads, num_key_value_heads;
    int intermediate_size, max_position_embeddings;
    int cross_attention_layers[MDF_MAX_LAYERS];
    int cross_count;
    double rope_theta, rms_norm_eps, initializer_range;
    double gate_init; /* of the tanh gates of cross-attention layers; 0 = as released */
    bool tie_word_embeddings;
    mdf_rope_scaling rope_scaling;
} mdf_text_config;

typedef struct mdf_vision_config {
    int hidden_size, num_hidden_layers, num_global_layers, attention_heads, intermediate_size;
    int image_size, patch_size, max_num_tiles;
    int intermediate_layers_indices[MDF_MAX_INTERMEDIATE];
    int intermediate_count;
    double norm_eps, initializer_range, gate_init;
} mdf_vision_config;

typedef struct mdf_unet_config {
    int base, image_size, norm_groups, mask_channels;
} mdf_unet_config;

typedef enum mdf_film_direction {
    MDF_FILM_TEXT_TO_UNET,
    MDF_FILM_UNET_TO_TEXT,
    MDF_FILM_NONE
} mdf_film_direction;
typedef enum mdf_fusion_attend { MDF_FUSION_BRANCH, MDF_FUSION_CONCAT } mdf_fusion_attend;

typedef struct mdf_map_entry {
    int layer, level;
} mdf_map_entry;

typedef struct mdf_fusion_config {
    mdf_map_entry map[MDF_MAX_LEVEL_MAP];
    int map_count;
    int grid, cells, film_hidden;
    mdf_fusion_attend attend;
    mdf_film_direction film_direction;
    double gate_init;
} mdf_fusion_config;

typedef struct mdf_answer_config {
    char labels[MDF_MAX_CLASSES][MDF_MAX_LABEL_BYTES + 1];
    int label_count;
    bool normalise_mean; /* "mean" or "sum" over a label's tokens */
    double scale;
    char missing_text[256];
    double temperature; /* from calibration; 1 before */
} mdf_answer_config;

typedef struct mdf_augment_config {
    double rotate; /* degrees */
    double scale, shift, color;
    bool flip;
} mdf_augment_config;

typedef struct mdf_train_config {
    int epochs, batch_size, accumulate, patience, eval_every, seed;
    double lr, lr_unet, lr_vision, lr_fusion, weight_decay, beta1, beta2, eps, clip_norm;
    double warmup;  /* share of all steps */
    double min_lr;  /* share of lr at the end */
    double label_smoothing, lm_weight, mask_weight, aux_weight, dropout, text_drop;
    double ema;         /* decay of the averaged weights, 0 = off */
    double max_minutes; /* 0 = no limit */
    bool balanced, use_image, use_text, use_unet;
    mdf_augment_config augment;
} mdf_train_config;

typedef struct mdf_config {
    int image_token_index;
    mdf_text_config text;
    mdf_vision_config vision;
    mdf_unet_config unet;
    mdf_fusion_config fusion;
    mdf_answer_config answer;
    mdf_train_config train;
} mdf_config;

/* Reads (bytes, len); name stands in error sentences. Also validates. */
mdf_status mdf_config_parse(mdf_config *c, const char *bytes, size_t len, const char *name,
                            mdf_error *err) MDF_NODISCARD;
mdf_status mdf_config_load(mdf_config *c, const char *path, mdf_error *err) MDF_NODISCARD;

/* One "key=value" as of --set: a full path ("train_config.epochs=3") or a last part that only one
 * section has. value is JSON, or a bare word. Does not validate. */
mdf_status mdf_config_set(mdf_config *c, const char *assignment, mdf_error *err) MDF_NODISCARD;

/* JSON text that mdf_config_parse() reads back to the same struct. */
mdf_status mdf_config_write(const mdf_config *c, mdf_strbuf *out, mdf_error *err) MDF_NODISCARD;

/* Do the numbers fit each other? One sentence if not. */
mdf_status mdf_config_validate(const mdf_config *c, mdf_error *err) MDF_NODISCARD;

bool mdf_config_uses_level(const mdf_config *c, int level);

/* Supported aspect ratios: pairs with product <= max_num_tiles (8 for 4 tiles). */
int mdf_config_aspect_ratios(const mdf_config *c);

#endif
