/* The training loop: from data folders and a configuration to a run folder.
 *
 * A run folder holds config.json (with the labels and, at the end, the temperature),
 * model.safetensors (the best weights so far), checkpoint.safetensors (everything needed to go on)
 * and metrics.jsonl. */
#ifndef MDF_TRAIN_TRAINER_H
#define MDF_TRAIN_TRAINER_H

#include <signal.h>

#include "config/config.h"
#include "data/manifest.h"

/* Locked in the run folder while a training writes there (base/lock.h); gone afterwards. */
#define MDF_RUN_LOCK "train.lock"

/* One line of progress. */
typedef struct mdf_train_event {
    const char *phase;  /* "read", "train", "validate" */
    size_t done, total; /* cases read, or steps */
    size_t images;      /* trained on since the start of this call */
    int epoch;          /* from 1 */
    double loss;        /* running mean; NAN before the first step */
    bool epoch_end;     /* the numbers below are fresh */
    double val_loss, val_auc, val_balanced_accuracy, val_vessel_dice;
    double val_dice; /* mean over the kinds of masks that the split has */
    bool best;
    const char *monitor; /* what chooses the best epoch: "macro_auc", "balanced_accuracy", "loss",
                            "dice" */
} mdf_train_event;

typedef struct mdf_train_options {
    const mdf_config *config;     /* labels may be empty: those of the training split are taken */
    const mdf_manifest *manifest; /* all splits */
    const char *train_split, *val_split;
    const char *out_dir;
    const char *encoder_path; /* published weights of the U-Net's encoder (weights/encoder.h) that a
                                 new run begins with, behind init_dir's; or NULL */
    const char *init_dir;     /* model folder whose weights a new run begins with, as far as it has
                                 them; NULL: all are drawn by chance */
    const char
        *tokenizer_path; /* tokenizer "bpe": copied to out_dir if there is none. May be NULL */
    int first_stage, last_stage; /* 1.. of config's stages, what is trained of them; init_dir goes
                                    before the first. 0: all */
    bool resume;
    bool strict; /* a case that is left out, for its label or for want of one, is an error */
    void (*progress)(void *user, const mdf_train_event *event); /* may be NULL */
    void (*note)(void *user, const char *text); /* what the user should know; may be NULL */
    void *user;
    const volatile sig_atomic_t *stop; /* may be NULL */
} mdf_train_options;

typedef struct mdf_train_summary {
    int epochs, best_epoch;
    double best_score, temperature;
    const char *monitor;           /* what best_score is of; "loss": its negative */
    size_t left_out, val_left_out; /* cases of the splits without a label of the model */
    double step_seconds;           /* median time of a step */
    size_t allocations;            /* of the last step */
    int64_t parameters;
    size_t tensors, tensors_taken; /* all, and those that init_dir had */
    size_t tensors_left; /* of init_dir: of fusion and U-Net that the model does not have */
} mdf_train_summary;

/* One training; train_config.stages is not looked at (train/stages.h).
 *
 * MDF_ERR_ARG: the data does not fit, or out_dir has a run already (resume false) or none (resume
 * true), or another process is training in it. MDF_ERR_STOPPED: *stop was set; the checkpoint holds
 * the work so far. MDF_ERR_NUMERIC: the loss is not a number; the last checkpoint stays. */
mdf_status mdf_train(const mdf_train_options *opt, mdf_train_summary *summary,
                     mdf_error *err) MDF_NODISCARD;

#endif
