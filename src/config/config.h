/* The settings of a model and its training: one plain struct, one schema (config_schema.c) that
 * knows every key's type, default, range and meaning.
 *
 * The file is JSON in the manner of Hugging Face's Mllama configuration (docs/MODEL.md, presets/);
 * the config.json of released Llama 3.2 Vision models ("mllama") and of Llama text models ("llama")
 * is read as well, as transformers 4 and 5 write it. An unknown key, a repeated key, a wrong type
 * or a value out of range is an error that names the key; what is left out takes its default,
 * except the sizes of the model, which must be there. Nothing is ever clamped. */
#ifndef MDF_CONFIG_CONFIG_H
#define MDF_CONFIG_CONFIG_H

#include "base/limits.h"
#include "base/status.h"
#include "base/strbuf.h"
#include "config/masks.h"

enum {
    MDF_CONFIG_LEVELS = 4,    /* skips of the U-Net */
    MDF_MAX_INTERMEDIATE = 7, /* vision states joined to the last one: 8 inputs of an operation */
    MDF_MAX_LEVEL_MAP = 64,   /* places where a skip is fused */
    MDF_CONFIG_EOS = 8,       /* ids that end an answer */
    MDF_CONFIG_TEXT = 256,    /* bytes of a text setting, with its NUL */
    MDF_MAX_STAGES = 8,
    MDF_STAGE_BYTES = 1024, /* of a stage's settings, as JSON without blanks, with its NUL */
    MDF_MAX_FREEZE = 16,
    MDF_MAX_TARGETS = 16,
    MDF_MAX_HEALTHY = 16,
    MDF_MAX_FOCUS = 16
};

typedef enum mdf_tokenizer_kind {
    MDF_TOKENIZER_BYTES, /* 256 bytes and 5 special tokens */
    MDF_TOKENIZER_BPE    /* byte pairs: the tokenizer.json beside the configuration */
} mdf_tokenizer_kind;

typedef enum mdf_fusion_attend { MDF_FUSION_BRANCH, MDF_FUSION_CONCAT } mdf_fusion_attend;

typedef enum mdf_film_direction {
    MDF_FILM_TEXT_TO_UNET,
    MDF_FILM_UNET_TO_TEXT,
    MDF_FILM_NONE
} mdf_film_direction;

/* What early stopping and the choice of the best epoch look at. */
typedef enum mdf_monitor {
    MDF_MONITOR_MACRO_AUC,
    MDF_MONITOR_BALANCED_ACCURACY,
    MDF_MONITOR_LOSS,
    MDF_MONITOR_DICE /* mean over the kinds of masks */
} mdf_monitor;

/* Llama 3's stretch of the rotary wavelengths. */
typedef struct mdf_rope_scaling {
    bool enabled;
    double factor, low_freq_factor, high_freq_factor;
    int original_max_position_embeddings;
} mdf_rope_scaling;

typedef struct mdf_text_config {
    int vocab_size; /* rows of lm_head; the image token is the id behind them */
    int hidden_size, intermediate_size;
    int num_hidden_layers; /* self and cross layers together */
    int num_attention_heads, num_key_value_heads;
    int cross_attention_layers[MDF_MAX_LAYERS]; /* [cross_count], ascending */
    int cross_count;
    double rope_theta;
    mdf_rope_scaling rope_scaling;
    double rms_norm_eps;
    int max_position_embeddings; /* most tokens of one prompt with its answer */
    bool tie_word_embeddings;
    int bos_token_id, pad_token_id;
    int eos_token_id[MDF_CONFIG_EOS]; /* [eos_count] */
    int eos_count;
    double initializer_range, gate_init; /* before training from scratch */
    bool leak_rows;                      /* rows before a picture attend to it, see docs/MODEL.md */
} mdf_text_config;

typedef struct mdf_vision_config {
    int hidden_size, intermediate_size;
    int num_hidden_layers; /* plain layers; gated ones follow */
    int num_global_layers;
    int attention_heads;
    int image_size, patch_size; /* pixels */
    int num_channels;           /* 3 */
    int max_num_tiles;
    int intermediate_layers_indices[MDF_MAX_INTERMEDIATE]; /* [intermediate_count], any order */
    int intermediate_count;
    double norm_eps, initializer_range, gate_init;
    bool deduplicate; /* compute equal tokens once */
} mdf_vision_config;

typedef enum mdf_unet_encoder {
    MDF_ENCODER_PLAIN,
    MDF_ENCODER_EFFICIENTNET_LITE0
} mdf_unet_encoder;

typedef struct mdf_unet_config {
    mdf_unet_encoder encoder;
    int base;        /* plain: channels of level 1; level l has base * 2^(l-1), the bottleneck 16
                        base. Else those of the decoder's last, full-sized stage */
    int image_size;  /* pixels */
    int norm_groups; /* of every GroupNorm */
    mdf_mask_name masks[MDF_MAX_MASKS]; /* [mask_channels], each once: what the decoder draws */
    int mask_channels;                  /* 0: no decoder */
    int mask_side;                      /* pixels of the field of view that masks are drawn at, tile
                                           by tile; 0: as one tile (nn/segment.h) */
    int region_side; /* the same of the disc and the cup, which are drawn as one tile where others
                        are drawn in several; 0: image_size */
} mdf_unet_config;

typedef struct mdf_map_entry {
    int layer; /* a cross-attention layer of the text model */
    int level; /* 1..4, a skip of the U-Net */
} mdf_map_entry;

typedef struct mdf_fusion_config {
    mdf_map_entry map[MDF_MAX_LEVEL_MAP]; /* [map_count], layers ascending */
    int map_count;                        /* 0: no fusion */
    int grid;                             /* patches per side */
    int cells;                            /* averages per side of a patch */
    mdf_fusion_attend attend;
    mdf_film_direction film_direction;
    int film_hidden;
    double gate_init;
} mdf_fusion_config;

typedef struct mdf_answer_config {
    char labels[MDF_MAX_CLASSES][MDF_MAX_LABEL_BYTES + 1]; /* [label_count], UTF-8 */
    int label_count;                                       /* 0: taken from the training data */
    bool normalise_mean;
    bool image_head; /* the classifier of the picture alone adds its logits to the label scores */
    double scale;
    char missing_text[MDF_CONFIG_TEXT]; /* stands in for a text that is not there */
    double temperature;                 /* of the softmax over scores, from calibration; 1 before */
} mdf_answer_config;

/* What a model remembers of cases to know its own doubt. Cases: those of the split that the
 * temperature is fitted on (train/conformal.h). Pictures: training's, too (train/distance.h). */
typedef struct mdf_doubt_config {
    int label_cases[MDF_MAX_CLASSES]; /* [label_count] how many cases each label had */
    int label_count;                  /* that of the answers, or 0: nothing is known */
    double truth[MDF_MAX_TRUTHS];     /* [truth_count] */
    int truth_count;
    int pictures; /* how many there were; 0: nothing is known */
    double signature_scale[MDF_SIGNATURE];
    int scale_count;
    double signature[MDF_MAX_SIGNATURES * MDF_SIGNATURE]; /* [signature_count] */
    int signature_count;
    double distance_share; /* of its own pictures are no farther than the limit */
    double distance_limit;
} mdf_doubt_config;

typedef struct mdf_augment_config {
    double rotate;                        /* degrees either way */
    double scale, shift;                  /* fractions of the size */
    bool flip;                            /* left and right, in the text too */
    double color;                         /* brightness, contrast and hue, as fractions */
    double tint, gamma, shade, blur, cut; /* between cameras: photo/camera.h */
} mdf_augment_config;

/* The crops that masks are learned from: by train_config.task = "segment" or mask_crops. */
typedef struct mdf_crop_config {
    int side;                           /* pixels of the field of view */
    double scale;                       /* of the zoom: within 1 / (1 + scale) and 1 + scale */
    int per_epoch;                      /* crops */
    mdf_mask_name focus[MDF_MAX_FOCUS]; /* [focus_count] whose masks they lie on, in turn */
    int focus_count;                    /* 0: those of the model */
} mdf_crop_config;

/* LoRA (Hu et al. 2021): matrices of text model, vision tower and projector are frozen, and those
 * of the targets are given a change of low rank, which is trained instead. */
typedef struct mdf_lora_options {
    int r;        /* rank; 0: no adapters */
    double alpha; /* the change is alpha / r B A, or alpha / sqrt(r) B A with rslora */
    double dropout;
    bool rslora;    /* Kalajdzievski 2023 */
    bool old_names; /* the adapter's tensors as transformers before 4.52 called them */
    double lr;
    char targets[MDF_MAX_TARGETS][MDF_MAX_LABEL_BYTES + 1]; /* [target_count] last parts of names of
                                                               modules, or "all-linear" */
    int target_count;
} mdf_lora_options;

/* The rule that moves the weights (optim/optimizer_rule.h). */
typedef enum mdf_optimizer_kind {
    MDF_OPTIMIZER_ADAMW,
    MDF_OPTIMIZER_ADAMW_8BIT,
    MDF_OPTIMIZER_ADAFACTOR,
    MDF_OPTIMIZER_ADALOMO
} mdf_optimizer_kind;

/* What a forward pass computes. */
typedef enum mdf_task {
    MDF_TASK_ANSWER,  /* everything */
    MDF_TASK_PICTURE, /* the U-Net with its classifier and its masks: neither tower nor text */
    MDF_TASK_SEGMENT  /* the U-Net's encoder and decoder: masks alone */
} mdf_task;

typedef struct mdf_train_config {
    mdf_task task;
    int picture_side; /* task picture: pixels of whole pictures; 0: unet_config.image_size */
    int epochs, batch_size;
    double norm_momentum; /* above 0: its norms use their batch's statistics and move by this */
    bool gradient_checkpointing; /* layers are computed again in backward */
    int norm_batches; /* the encoder's fixed norms take their statistics from so many first */
    int accumulate;   /* batches per step of the optimiser */
    mdf_optimizer_kind optimizer;
    double lr; /* text; the others have their own */
    double lr_unet, lr_vision, lr_fusion;
    double weight_decay, beta1, beta2, eps;
    double clip_norm;     /* 0: off */
    bool clip_per_tensor; /* each weight's gradient by its own norm, not all by theirs together */
    double warmup;        /* fraction of the steps */
    double min_lr;        /* last learning rate as a fraction of the first */
    double label_smoothing, lm_weight, mask_weight;
    double aux_weight; /* a classifier on the pooled bottleneck; 0: none */
    bool mask_crops;   /* masks are learned from crops, in batches of their own */
    char healthy[MDF_MAX_HEALTHY][MDF_MAX_LABEL_BYTES + 1]; /* [healthy_count] labels of eyes
                                                               without a lesion */
    int healthy_count;
    bool balanced;       /* draw the classes equally often */
    double set_power;    /* balanced: how a data folder's share of a class goes with its size */
    bool partial_labels; /* a case's label is one of those that its data folder has */
    bool several_labels; /* cells "a|b" and "a;b" of the training split are both */
    int patience;        /* epochs without improvement before it stops; 0: never */
    double dropout;
    double picture_drop;  /* probability that a training batch reads the text alone */
    double text_drop;     /* probability that a training text is left out */
    double sentence_drop; /* and that a sentence of one that stays is */
    double ema;           /* decay of the averaged weights that are evaluated; 0: off */
    int seed;
    double max_minutes; /* 0: no limit */
    int eval_every;     /* epochs */
    mdf_monitor monitor;
    bool use_image, use_text, use_unet;                   /* what the model gets to see */
    char freeze[MDF_MAX_FREEZE][MDF_MAX_LABEL_BYTES + 1]; /* [freeze_count] beginnings of the names
                                                             of weights that stay as they are */
    int freeze_count;
    char stages[MDF_MAX_STAGES][MDF_STAGE_BYTES]; /* [stage_count] what each changes, a JSON object
                                                     of settings of train_config */
    int stage_count;                              /* 0: one training */
    mdf_augment_config augment;
    mdf_crop_config crop;
    mdf_lora_options lora;
} mdf_train_config;

/* About 100 kB; copied by value, owns nothing. */
typedef struct mdf_config {
    int image_token_index; /* = text.vocab_size */
    mdf_tokenizer_kind tokenizer;
    mdf_text_config text;
    mdf_vision_config vision;
    mdf_unet_config unet;
    mdf_fusion_config fusion;
    mdf_answer_config answer;
    mdf_doubt_config doubt;
    mdf_train_config train;
} mdf_config;

/* Reads (bytes, len) and validates; name stands in front of error sentences. On failure *c is
 * untouched: MDF_ERR_FORMAT for what is not JSON, has unknown keys or wrong types or lacks a size,
 * MDF_ERR_LIMIT for sizes above base/limits.h, MDF_ERR_ARG for values that are out of range or
 * contradict each other. */
mdf_status mdf_config_parse(mdf_config *c, const char *bytes, size_t len, const char *name,
                            mdf_error *err) MDF_NODISCARD;
mdf_status mdf_config_load(mdf_config *c, const char *path, mdf_error *err) MDF_NODISCARD;

/* A released model's settings before its sizes are known: what other formats start from. No U-Net,
 * and no vision tower unless its sizes are put in. */
void mdf_config_released(mdf_config *c);

/* Applies "key=value", e.g. "train_config.epochs=3"; a key may be shortened from the left as long
 * as one key is meant ("epochs=3", "augment.rotate=0") and "_config" may be left out. Lists are
 * JSON; labels and masks also "a,b,c". Checks the value's own range, not its agreement with others:
 * call mdf_config_validate() after the last one. On failure *c is untouched. */
mdf_status mdf_config_set(mdf_config *c, const char *assignment, mdf_error *err) MDF_NODISCARD;

/* The settings of one stage of c's training, 0 .. stage_count-1: c's with the stage's changes, and
 * no stages. Not validated; mdf_config_validate(c) has looked at every stage. The error names stage
 * and key. out and c are not the same. */
mdf_status mdf_config_stage(mdf_config *out, const mdf_config *c, int stage,
                            mdf_error *err) MDF_NODISCARD;

/* Do the settings fit together? One sentence about the first that does not. */
mdf_status mdf_config_validate(const mdf_config *c, mdf_error *err) MDF_NODISCARD;

/* Appends JSON with every key, always in the same order, that parses back to the same struct. */
mdf_status mdf_config_write(const mdf_config *c, mdf_strbuf *out, mdf_error *err) MDF_NODISCARD;

/* Appends a table of all keys for people, a line each: path, default or "required", range, meaning,
 * with tabs between them. */
void mdf_config_describe(mdf_strbuf *out);

/* A model may be a text model alone (no vision_config, no cross layers) or lack the detail path (no
 * unet_config, empty map). */
bool mdf_config_has_vision(const mdf_config *c);
bool mdf_config_has_unet(const mdf_config *c);

/* Drops what was measured on trained weights, temperature and doubt, where they begin anew. */
void mdf_config_forget(mdf_config *c);
bool mdf_config_has_doubt(const mdf_config *c); /* something is in doubt_config */

/* How many probabilities of true labels are kept of a label that has n cases, of labels in all. */
int mdf_config_truths(int n, int labels);

/* Rows of embed_tokens: the vocabulary and, beside a vision tower, eight more. */
int mdf_config_embedding_rows(const mdf_config *c);

/* Pixels along a side of the U-Net's skip `level` = 1..4, or of its bottleneck, 5. */
int mdf_config_unet_side(const mdf_config *c, int level);

/* Pixels along a side, at most, of a photograph's crop before it is brought to the model's own: in
 * training, evaluation and use alike. Room for zoom without blur. */
int mdf_config_crop_side(const mdf_config *c);
int mdf_config_region_side(const mdf_config *c); /* unet.region_side, or what it stands for */

bool mdf_config_uses_level(const mdf_config *c, int level);
bool mdf_config_is_cross_layer(const mdf_config *c, int layer);
bool mdf_config_fuses_at(const mdf_config *c, int layer); /* does fusion.map name the layer? */

/* Grids (rows, columns) of at most max_num_tiles tiles; their ids are 1.. in row-major order. */
int mdf_config_aspect_ratios(const mdf_config *c);

/* Width of the vision tower's output tokens. */
int mdf_config_vision_output(const mdf_config *c);

#endif
