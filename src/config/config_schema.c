/* Every key of the configuration: where it is stored, what it may be, what it is for. */
#include "config/config_schema.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/nearest.h"

static const char *const model_types[] = {"mdf_mllm", "mllama", "llama", NULL};
static const char *const text_types[] = {"mllama_text_model", NULL};
static const char *const vision_types[] = {"mllama_vision_model", NULL};
static const char *const tokenizers[] = {"bytes", "bpe", NULL};
static const char *const text_acts[] = {"silu", NULL};
static const char *const vision_acts[] = {"gelu", NULL};
static const char *const rope_types[] = {"llama3", NULL};
static const char *const attends[] = {"branch", "concat", NULL};
static const char *const encoders[] = {"plain", "efficientnet_lite0", NULL};
static const char *const tasks[] = {"answer", "picture", "segment", NULL};
static const char *const optimizers[] = {"adamw", "adamw_8bit", "adafactor", "adalomo", NULL};
static const char *const directions[] = {"text_to_unet", "unet_to_text", "none", NULL};
static const char *const normalises[] = {"sum", "mean", NULL}; /* of bool normalise_mean */
static const char *const lora_names[] = {"new", "old", NULL};  /* of bool old_names */
static const char *const monitors[] = {"macro_auc", "balanced_accuracy", "loss", "dice", NULL};

/* Rows of one section: section, offset of its struct's member m. */
#define AT(m) offsetof(mdf_config, m)
#define ROW(sec, key, knd, at, low, high, def, rel, txt)                                           \
    {                                                                                              \
        .section = (sec), .name = (key), .kind = (knd), .offset = (at), .min = (low),              \
        .max = (high), .initial = (def), .required = (rel), .doc = (txt)                           \
    }
#define INT(sec, key, m, low, high, def, rel, txt)                                                 \
    ROW(sec, key, MDF_KEY_INT, AT(m), low, high, def, rel, txt)
#define REAL(sec, key, m, low, high, def, rel, txt)                                                \
    ROW(sec, key, MDF_KEY_REAL, AT(m), low, high, def, rel, txt)
#define BOOL(sec, key, m, def, txt) ROW(sec, key, MDF_KEY_BOOL, AT(m), 0, 1, def, false, txt)
#define LIST(sec, key, knd, m, n, cap, low, high, def, rel, txt)                                   \
    {                                                                                              \
        .section = (sec), .name = (key), .kind = (knd), .offset = AT(m), .count_offset = AT(n),    \
        .capacity = (cap), .min = (low), .max = (high), .initial = (def), .required = (rel),       \
        .doc = (txt)                                                                               \
    }
#define CHOICE(sec, key, m, words, def, txt)                                                       \
    {                                                                                              \
        .section = (sec), .name = (key), .kind = MDF_KEY_CHOICE, .offset = AT(m),                  \
        .choice = (words), .initial = (def), .doc = (txt)                                          \
    }
#define FIXED(sec, key, words, txt)                                                                \
    {                                                                                              \
        .section = (sec), .name = (key), .kind = MDF_KEY_FIXED, .choice = (words), .doc = (txt)    \
    }
#define DERIVED(sec, key, txt)                                                                     \
    {                                                                                              \
        .section = (sec), .name = (key), .kind = MDF_KEY_DERIVED, .doc = (txt)                     \
    }
#define IGNORED(sec, key)                                                                          \
    {                                                                                              \
        .section = (sec), .name = (key), .kind = MDF_KEY_IGNORED, .doc = "has no effect"           \
    }

#define TEXT   "text_config"
#define ROPE   "text_config.rope_scaling"
#define VISION "vision_config"
#define UNET   "unet_config"
#define FUSION "fusion_config"
#define ANSWER "answer_config"
#define DOUBT  "doubt_config"
#define TRAIN  "train_config"
#define AUG    "train_config.augment"
#define CROP   "train_config.crop"
#define LORA   "train_config.lora"

#define WIDTH 1048576 /* no released model comes near; keeps products inside 64 bits */

/* clang-format off */
const mdf_config_key mdf_config_keys[] = {
    FIXED("", "model_type", model_types, "kind of model; mllama and llama are files of Hugging Face's"),
    INT("", "image_token_index", image_token_index, 0, WIDTH, "264", true,
        "id of the image token; equals vocab_size"),
    CHOICE("", "tokenizer", tokenizer, tokenizers, "\"bytes\"", "how text becomes tokens"),
    IGNORED("", "architectures"),
    IGNORED("", "torch_dtype"),
    IGNORED("", "dtype"),
    IGNORED("", "transformers_version"),
    IGNORED("", "_name_or_path"),
    IGNORED("", "pad_token_id"),
    IGNORED("", "tie_word_embeddings"),
    IGNORED("", "quantization_config"),
    IGNORED("", "parts"),

    FIXED(TEXT, "model_type", text_types, "kind of text model"),
    INT(TEXT, "vocab_size", text.vocab_size, 1, WIDTH, "264", true, "tokens that can be answered"),
    INT(TEXT, "hidden_size", text.hidden_size, 1, WIDTH, "64", true, "width"),
    INT(TEXT, "num_hidden_layers", text.num_hidden_layers, 1, MDF_MAX_LAYERS, "4", true,
        "layers, self and cross together"),
    INT(TEXT, "num_attention_heads", text.num_attention_heads, 1, WIDTH, "4", true, "heads"),
    INT(TEXT, "num_key_value_heads", text.num_key_value_heads, 1, WIDTH, "2", true,
        "key/value heads, shared by groups of heads"),
    INT(TEXT, "intermediate_size", text.intermediate_size, 1, WIDTH, "128", true,
        "width inside the MLP"),
    LIST(TEXT, "cross_attention_layers", MDF_KEY_INTS, text.cross_attention_layers,
         text.cross_count, MDF_MAX_LAYERS, 0, MDF_MAX_LAYERS - 1, "[1, 3]", true,
         "layers that read the picture"),
    FIXED(TEXT, "hidden_act", text_acts, "activation inside the MLP"),
    REAL(TEXT, "rope_theta", text.rope_theta, 1, 1e9, "500000.0", false,
         "base of the rotary wavelengths"),
    REAL(TEXT, "rms_norm_eps", text.rms_norm_eps, 1e-12, 1, "1e-05", false, "added under the root"),
    INT(TEXT, "max_position_embeddings", text.max_position_embeddings, 1, 16777216, "131072", false,
        "most tokens of one prompt with its answer"),
    BOOL(TEXT, "tie_word_embeddings", text.tie_word_embeddings, "false",
         "answer with the embedding table instead of lm_head"),
    INT(TEXT, "bos_token_id", text.bos_token_id, 0, WIDTH, "256", false, "begins a prompt"),
    LIST(TEXT, "eos_token_id", MDF_KEY_INTS, text.eos_token_id, text.eos_count, MDF_CONFIG_EOS, 0,
         WIDTH, "[259]", false, "end an answer"),
    INT(TEXT, "pad_token_id", text.pad_token_id, 0, WIDTH, "260", false,
        "fills a batch; not used here"),
    REAL(TEXT, "initializer_range", text.initializer_range, 0, 10, "0.02", false,
         "deviation of the first weights"),
    REAL(TEXT, "gate_init", text.gate_init, -10, 10, "0.0", false,
         "first value of the cross layers' gates"),
    BOOL(TEXT, "leak_rows", text.leak_rows, "true",
         "rows before a picture attend to it, as in transformers; false: not, as in Meta's code"),
    IGNORED(TEXT, "use_cache"),
    IGNORED(TEXT, "dropout"),
    IGNORED(TEXT, "torch_dtype"),
    IGNORED(TEXT, "dtype"),
    IGNORED(TEXT, "_name_or_path"),
    IGNORED(TEXT, "attention_bias"),
    IGNORED(TEXT, "mlp_bias"),
    IGNORED(TEXT, "head_dim"),
    IGNORED(TEXT, "rope_interleaved"),

    FIXED(ROPE, "rope_type", rope_types, "kind of stretching"),
    REAL(ROPE, "factor", text.rope_scaling.factor, 1, 1e6, "8.0", true,
         "stretch of long wavelengths"),
    REAL(ROPE, "low_freq_factor", text.rope_scaling.low_freq_factor, 1e-6, 1e6, "1.0", true,
         "waves longer than original / this are stretched"),
    REAL(ROPE, "high_freq_factor", text.rope_scaling.high_freq_factor, 1e-6, 1e6, "4.0", true,
         "waves shorter than original / this are kept"),
    INT(ROPE, "original_max_position_embeddings",
        text.rope_scaling.original_max_position_embeddings, 1, 16777216, "8192", true,
        "length before the stretching"),

    FIXED(VISION, "model_type", vision_types, "kind of vision tower"),
    INT(VISION, "hidden_size", vision.hidden_size, 1, WIDTH, "32", true, "width"),
    INT(VISION, "num_hidden_layers", vision.num_hidden_layers, 1, MDF_MAX_LAYERS, "2", true,
        "plain layers"),
    INT(VISION, "num_global_layers", vision.num_global_layers, 0, MDF_MAX_LAYERS, "1", true,
        "gated layers behind them"),
    INT(VISION, "attention_heads", vision.attention_heads, 1, WIDTH, "4", true, "heads"),
    INT(VISION, "intermediate_size", vision.intermediate_size, 1, WIDTH, "64", true,
        "width inside the MLP"),
    INT(VISION, "num_channels", vision.num_channels, 3, 3, "3", false, "red, green, blue"),
    INT(VISION, "image_size", vision.image_size, 1, 4096, "56", true, "side of a tile, pixels"),
    INT(VISION, "patch_size", vision.patch_size, 1, 4096, "14", true, "side of a patch, pixels"),
    INT(VISION, "max_num_tiles", vision.max_num_tiles, 1, 16, "4", false, "tiles of one picture"),
    LIST(VISION, "intermediate_layers_indices", MDF_KEY_INTS, vision.intermediate_layers_indices,
         vision.intermediate_count, MDF_MAX_INTERMEDIATE, 0, MDF_MAX_LAYERS - 1, "[0, 1]", true,
         "layers whose inputs are joined to the output"),
    DERIVED(VISION, "vision_output_dim", "hidden_size * (1 + intermediate layers)"),
    DERIVED(VISION, "supported_aspect_ratios", "all grids of at most max_num_tiles tiles"),
    FIXED(VISION, "hidden_act", vision_acts, "activation inside the MLP"),
    REAL(VISION, "norm_eps", vision.norm_eps, 1e-12, 1, "1e-05", false, "added under the root"),
    REAL(VISION, "initializer_range", vision.initializer_range, 0, 10, "0.02", false,
         "deviation of the first weights"),
    REAL(VISION, "gate_init", vision.gate_init, -10, 10, "0.0", false,
         "first value of the gates of position tables and global layers"),
    BOOL(VISION, "deduplicate", vision.deduplicate, "true",
         "compute unused tiles and padding tokens once; the same numbers to rounding"),
    IGNORED(VISION, "torch_dtype"),
    IGNORED(VISION, "dtype"),
    IGNORED(VISION, "_name_or_path"),

    CHOICE(UNET, "encoder", unet.encoder, encoders, "\"plain\"",
           "convolutions from noise, or a network that can start from published weights"),
    INT(UNET, "base", unet.base, 1, 4096, "4", true,
        "channels of level 1, every level of a plain encoder doubles them; else of the last "
        "decoder stage"),
    INT(UNET, "image_size", unet.image_size, 16, 8192, "64", true,
        "side, pixels; a multiple of 16, with efficientnet_lite0 of 32"),
    INT(UNET, "norm_groups", unet.norm_groups, 1, 4096, "2", false, "groups of a GroupNorm"),
    {.section = UNET,
     .name = "masks",
     .kind = MDF_KEY_WORDS,
     .offset = AT(unet.masks),
     .count_offset = AT(unet.mask_channels),
     .capacity = MDF_MAX_MASKS,
     .choice = mdf_mask_names,
     .initial = "[\"vessel\", \"lesion\"]",
     .doc = "what the decoder draws; [] leaves it out"},
    {.section = UNET,
     .name = "mask_channels",
     .kind = MDF_KEY_OLD,
     .offset = AT(unet.masks),
     .count_offset = AT(unet.mask_channels),
     .max = 2,
     .doc = "masks of earlier files: the first so many of vessel and lesion"},
    INT(UNET, "mask_side", unet.mask_side, 0, 8192, "0", false,
        "pixels of the field of view that masks are drawn at, in overlapping tiles; 0 = as one"),
    INT(UNET, "region_side", unet.region_side, 0, 8192, "0", false,
        "pixels of the field of view that disc and cup are drawn at, as one tile, where other "
        "masks are drawn in several; 0 = image_size"),

    LIST(FUSION, "map", MDF_KEY_PAIRS, fusion.map, fusion.map_count, MDF_MAX_LEVEL_MAP, 0,
         MDF_MAX_LAYERS - 1, "[[1, 1], [1, 2], [3, 3], [3, 4]]", false,
         "[layer, level]: which cross layer reads which U-Net skip"),
    INT(FUSION, "grid", fusion.grid, 1, 64, "4", false, "patches per side"),
    INT(FUSION, "cells", fusion.cells, 1, 64, "2", false, "averages per side of a patch"),
    CHOICE(FUSION, "attend", fusion.attend, attends, "\"branch\"",
           "own attention branch, or tokens joined to the picture's"),
    CHOICE(FUSION, "film_direction", fusion.film_direction, directions, "\"text_to_unet\"",
           "which side modulates which"),
    INT(FUSION, "film_hidden", fusion.film_hidden, 1, WIDTH, "32", false,
        "width inside the FiLM network"),
    REAL(FUSION, "gate_init", fusion.gate_init, -10, 10, "0.0", false,
         "first value of the branch's gate"),

    LIST(ANSWER, "labels", MDF_KEY_LABELS, answer.labels, answer.label_count, MDF_MAX_CLASSES, 1,
         MDF_MAX_LABEL_BYTES, "[]", false, "the answers; [] takes them from the training data"),
    {.section = ANSWER,
     .name = "normalise",
     .kind = MDF_KEY_CHOICE,
     .offset = AT(answer.normalise_mean),
     .capacity = 1,
     .choice = normalises,
     .initial = "\"mean\"",
     .doc = "a label's score: mean or sum over its tokens"},
    REAL(ANSWER, "scale", answer.scale, 1e-3, 1e3, "8.0", false, "factor of the label scores"),
    REAL(ANSWER, "temperature", answer.temperature, 1e-3, 1e3, "1.0", false, "divides the scores; from calibration"),
    {.section = ANSWER,
     .name = "missing_text",
     .kind = MDF_KEY_TEXT,
     .offset = AT(answer.missing_text),
     .capacity = MDF_CONFIG_TEXT,
     .initial = "\"No clinical text.\"",
     .doc = "stands in for a missing text"},

    BOOL(ANSWER, "image_head", answer.image_head, "false",
         "add the logits of a classifier of the picture alone to the label scores"),

    LIST(DOUBT, "label_cases", MDF_KEY_INTS, doubt.label_cases, doubt.label_count, MDF_MAX_CLASSES,
         0, MDF_MAX_CASES, "[]", false, "cases of each label that the calibration saw"),
    LIST(DOUBT, "truth", MDF_KEY_REALS, doubt.truth, doubt.truth_count, MDF_MAX_TRUTHS, 0, 1, "[]",
         false, "their probabilities of the true label, label by label, falling"),
    INT(DOUBT, "pictures", doubt.pictures, 0, MDF_MAX_CASES, "0", false,
        "photographs that the distances were measured on"),
    LIST(DOUBT, "signature_scale", MDF_KEY_REALS, doubt.signature_scale, doubt.scale_count,
         MDF_SIGNATURE, 1e-6, 1e6, "[]", false, "what one unit of a signature's numbers counts"),
    LIST(DOUBT, "signature", MDF_KEY_REALS, doubt.signature, doubt.signature_count,
         MDF_MAX_SIGNATURES * MDF_SIGNATURE, -1e6, 1e6, "[]", false,
         "signatures of photographs that the model knows"),
    REAL(DOUBT, "distance_share", doubt.distance_share, 0, 1, "0.0", false,
         "share of the photographs that lie within distance_limit"),
    REAL(DOUBT, "distance_limit", doubt.distance_limit, 0, 1e9, "0.0", false,
         "distance above which a photograph is unlike them"),

    CHOICE(TRAIN, "task", train.task, tasks, "\"answer\"",
           "train everything, the U-Net with its classifier and masks, or its masks alone"),
    INT(TRAIN, "picture_side", train.picture_side, 0, 8192, "0", false,
        "task picture: pixels along a side of whole pictures; 0 = unet_config.image_size"),
    INT(TRAIN, "epochs", train.epochs, 1, 1000000, "12", false, "passes over the training cases"),
    INT(TRAIN, "batch_size", train.batch_size, 1, 65536, "16", false, "cases per batch"),
    REAL(TRAIN, "norm_momentum", train.norm_momentum, 0, 1, "0.0", false,
         "efficientnet_lite0: above 0, batch norm in training, whose statistics move by this share"),
    INT(TRAIN, "norm_batches", train.norm_batches, 0, 10000, "0", false,
        "efficientnet_lite0: its norms' statistics are first taken from so many batches"),
    BOOL(TRAIN, "gradient_checkpointing", train.gradient_checkpointing, "false",
         "compute each layer of text model and vision tower again in backward: less memory"),
    INT(TRAIN, "accumulate", train.accumulate, 1, 65536, "1", false,
        "batches per step of the optimiser"),
    CHOICE(TRAIN, "optimizer", train.optimizer, optimizers, "\"adamw\"",
           "how weights move; bytes for each beside it: 8, 2, and next to none for the last two"),
    REAL(TRAIN, "lr", train.lr, 0, 10, "0.002", false, "learning rate of the text model"),
    REAL(TRAIN, "lr_unet", train.lr_unet, 0, 10, "0.002", false, "learning rate of the U-Net"),
    REAL(TRAIN, "lr_vision", train.lr_vision, 0, 10, "0.002", false,
         "learning rate of the vision tower"),
    REAL(TRAIN, "lr_lora", train.lora.lr, 0, 10, "0.0002", false, "learning rate of adapters"),
    REAL(TRAIN, "lr_fusion", train.lr_fusion, 0, 10, "0.002", false, "learning rate of the fusion"),
    REAL(TRAIN, "weight_decay", train.weight_decay, 0, 10, "0.05", false,
         "share of a matrix that every step takes off, times the learning rate"),
    REAL(TRAIN, "beta1", train.beta1, 0, 0.999999, "0.9", false, "AdamW's memory of the gradient"),
    REAL(TRAIN, "beta2", train.beta2, 0, 0.999999, "0.98", false, "AdamW's memory of its square"),
    REAL(TRAIN, "eps", train.eps, 1e-30, 1, "1e-08", false, "AdamW's floor"),
    REAL(TRAIN, "clip_norm", train.clip_norm, 0, 1e9, "1.0", false,
         "largest norm of the gradient; 0 = any"),
    BOOL(TRAIN, "clip_per_tensor", train.clip_per_tensor, "false",
         "clip_norm is of each weight's own gradient instead of all together"),
    REAL(TRAIN, "warmup", train.warmup, 0, 1, "0.1", false,
         "fraction of the steps with a rising rate"),
    REAL(TRAIN, "min_lr", train.min_lr, 0, 1, "0.02", false, "last learning rate / first"),
    REAL(TRAIN, "label_smoothing", train.label_smoothing, 0, 0.999, "0.05", false,
         "share of the target spread over all labels"),
    REAL(TRAIN, "lm_weight", train.lm_weight, 0, 1e3, "0.1", false,
         "weight of the true label's token loss"),
    REAL(TRAIN, "mask_weight", train.mask_weight, 0, 1e3, "0.5", false, "weight of the mask loss"),
    BOOL(TRAIN, "mask_crops", train.mask_crops, "false",
         "learn masks from crops, in batches of their own, instead of from whole pictures"),
    LIST(TRAIN, "healthy_labels", MDF_KEY_LABELS, train.healthy, train.healthy_count,
         MDF_MAX_HEALTHY, 0, MDF_MAX_LABEL_BYTES, "[]", false,
         "labels of eyes without a lesion: crops of them have empty masks of lesions"),
    REAL(TRAIN, "aux_weight", train.aux_weight, 0, 1e3, "0.0", false,
         "weight of a classifier on the U-Net's bottleneck; 0 leaves it out"),
    BOOL(TRAIN, "balanced", train.balanced, "true", "draw the classes equally often"),
    REAL(TRAIN, "set_power", train.set_power, 0, 1, "1.0", false,
         "balanced: a data folder's share of a class goes with its cases there to this power"),
    BOOL(TRAIN, "partial_labels", train.partial_labels, "false",
         "compare a case's label only with those that its data folder has"),
    BOOL(TRAIN, "several_labels", train.several_labels, "false",
         "a cell may hold several labels, as in \"a|b\": each is learned, none against the others"),
    INT(TRAIN, "patience", train.patience, 0, 1000000, "0", false,
        "evaluations without improvement before it stops; 0 = never"),
    REAL(TRAIN, "dropout", train.dropout, 0, 0.95, "0.0", false, "share of activations left out"),
    REAL(TRAIN, "picture_drop", train.picture_drop, 0, 1, "0.0", false,
         "task answer: share of training batches that read the text alone"),
    REAL(TRAIN, "text_drop", train.text_drop, 0, 1, "0.0", false,
         "share of training texts left out"),
    REAL(TRAIN, "sentence_drop", train.sentence_drop, 0, 1, "0.0", false,
         "share of the other texts' sentences left out"),
    REAL(TRAIN, "ema", train.ema, 0, 0.999999, "0.0", false,
         "decay of the averaged weights that are evaluated; 0 = off"),
    INT(TRAIN, "seed", train.seed, 0, 2147483647, "1", false, "of all random numbers"),
    REAL(TRAIN, "max_minutes", train.max_minutes, 0, 1e6, "0.0", false, "time limit; 0 = none"),
    INT(TRAIN, "eval_every", train.eval_every, 1, 1000000, "1", false,
        "epochs between evaluations"),
    CHOICE(TRAIN, "monitor", train.monitor, monitors, "\"macro_auc\"",
           "what picks the best epoch; of task segment always dice"),
    BOOL(TRAIN, "use_image", train.use_image, "true", "show the photograph to the vision tower"),
    BOOL(TRAIN, "use_text", train.use_text, "true", "show the clinical text"),
    BOOL(TRAIN, "use_unet", train.use_unet, "true", "show the photograph to the U-Net"),
    LIST(TRAIN, "freeze", MDF_KEY_LABELS, train.freeze, train.freeze_count, MDF_MAX_FREEZE, 0,
         MDF_MAX_LABEL_BYTES, "[]", false,
         "weights that stay as they are, by name or by what it begins with: unet.encoder"),
    LIST(TRAIN, "stages", MDF_KEY_STAGES, train.stages, train.stage_count, MDF_MAX_STAGES, 0,
         MDF_STAGE_BYTES - 1, "[]", false,
         "one training after the other, each an object of settings of train_config that it changes"),

    REAL(AUG, "rotate", train.augment.rotate, 0, 180, "10.0", false, "degrees either way"),
    REAL(AUG, "scale", train.augment.scale, 0, 0.9, "0.1", false, "fraction larger or smaller"),
    REAL(AUG, "shift", train.augment.shift, 0, 0.9, "0.05", false, "fraction of the side"),
    BOOL(AUG, "flip", train.augment.flip, "true", "left and right, in the text too"),
    REAL(AUG, "color", train.augment.color, 0, 0.9, "0.1", false, "brightness, contrast, hue"),
    REAL(AUG, "tint", train.augment.tint, 0, 2, "0.0", false, "a factor for each channel"),
    REAL(AUG, "gamma", train.augment.gamma, 0, 2, "0.0", false, "bends the exposure"),
    REAL(AUG, "shade", train.augment.shade, 0, 0.9, "0.0", false, "uneven light"),
    REAL(AUG, "blur", train.augment.blur, 0, 1, "0.0", false, "probability of softer pictures"),
    REAL(AUG, "cut", train.augment.cut, 0, 0.4, "0.0", false,
         "share of the height that is black, above and below"),

    INT(CROP, "side", train.crop.side, 16, 8192, "768", false,
        "pixels of the field of view that crops of the U-Net's size are taken from"),
    REAL(CROP, "scale", train.crop.scale, 0, 4, "0.6", false,
         "crops are between 1 / (1 + scale) and 1 + scale of that size"),
    INT(CROP, "per_epoch", train.crop.per_epoch, 1, 1000000, "1000", false, "crops of an epoch"),
    {.section = CROP,
     .name = "focus",
     .kind = MDF_KEY_WORDS,
     .offset = AT(train.crop.focus),
     .count_offset = AT(train.crop.focus_count),
     .capacity = MDF_MAX_FOCUS,
     .repeats = true,
     .choice = mdf_mask_names,
     .initial = "[]",
     .doc = "masks that crops lie on, in turn: one named twice has twice as many; [] = all"},

    INT(LORA, "r", train.lora.r, 0, 4096, "0", false,
        "rank of adapters that are trained in place of text model, tower and projector; 0 = none"),
    REAL(LORA, "lora_alpha", train.lora.alpha, 1e-3, 1e6, "16.0", false,
         "an adapter's product counts lora_alpha / r"),
    REAL(LORA, "lora_dropout", train.lora.dropout, 0, 0.99, "0.0", false,
         "of what an adapter reads, in training"),
    BOOL(LORA, "use_rslora", train.lora.rslora, "false", "lora_alpha / sqrt(r) instead"),
    LIST(LORA, "target_modules", MDF_KEY_LABELS, train.lora.targets, train.lora.target_count,
         MDF_MAX_TARGETS, 0, MDF_MAX_LABEL_BYTES, "[\"q_proj\", \"v_proj\"]", false,
         "last parts of the names of the modules that get one, or \"all-linear\""),
    {.section = LORA,
     .name = "names",
     .kind = MDF_KEY_CHOICE,
     .offset = AT(train.lora.old_names),
     .capacity = 1,
     .choice = lora_names,
     .initial = "\"new\"",
     .doc = "names in the adapter's file: of transformers from 4.52 on, or of those before"},
};
/* clang-format on */

const size_t mdf_config_key_count = sizeof mdf_config_keys / sizeof mdf_config_keys[0];

const char *const mdf_config_sections[] = {"",     TEXT,  ROPE,  VISION, UNET, FUSION,
                                           ANSWER, DOUBT, TRAIN, AUG,    CROP, LORA};
const size_t mdf_config_section_count = sizeof mdf_config_sections / sizeof mdf_config_sections[0];

void mdf_config_key_path(const mdf_config_key *k, char path[MDF_CONFIG_PATH])
{
    (void)snprintf(path, MDF_CONFIG_PATH, "%s%s%s", k->section, k->section[0] != '\0' ? "." : "",
                   k->name);
}

const mdf_config_key *mdf_config_find(const char *section, const char *name)
{
    for (size_t i = 0; i < mdf_config_key_count; i++) {
        const mdf_config_key *k = &mdf_config_keys[i];
        if (strcmp(k->section, section) == 0 && strcmp(k->name, name) == 0) {
            return k;
        }
    }
    return NULL;
}

static void consider(const char *known, const char *name, int *least, const char **best)
{
    const int d = mdf_edit_distance(name, known);
    if (d < *least && 2 * d <= (int)strlen(name)) { /* half of it is something else */
        *least = d;
        *best = known;
    }
}

const char *mdf_config_nearest(const char *section, const char *name)
{
    const char *best = NULL;
    int least = 3 + (int)(strlen(name) / 4); /* farther ones would only puzzle */
    for (size_t i = 0; i < mdf_config_key_count; i++) {
        const mdf_config_key *k = &mdf_config_keys[i];
        const bool current = k->kind != MDF_KEY_IGNORED && k->kind != MDF_KEY_OLD;
        if (current && (section == NULL || strcmp(k->section, section) == 0)) {
            consider(k->name, name, &least, &best);
        }
    }
    for (size_t i = 1; i < mdf_config_section_count; i++) {
        const char *s = mdf_config_sections[i];
        const char *dot = strrchr(s, '.');
        const size_t parent = dot == NULL ? 0 : (size_t)(dot - s);
        if (section == NULL || (strlen(section) == parent && strncmp(section, s, parent) == 0)) {
            consider(dot == NULL ? s : dot + 1, name, &least, &best);
        }
    }
    return best;
}
