/* The two things that mdf predict does: classifying and asking. */
#ifndef MDF_APPS_PREDICT_H
#define MDF_APPS_PREDICT_H

#include "app.h"

typedef struct predict_flags {
    const char *model;
    const char *text;
    arg_list labels;
    const char *heatmap, *explain, *depth;
    const char *view;
    const char *tiles;
    const char *lora;
    bool check_tensors;
    bool force;
    arg_list ask;
    bool together;
    const char *system, *chat_template;
    const char *kv_type;
    const char *session; /* NULL: questions stand for themselves */
    bool resumes;        /* the session's file is there */
    bool show_prompt;
    bool sample;
    int64_t max_tokens, top_k;
    double temperature, top_p;
    double coverage; /* 0: no sets */
    bool kv_type_given, max_tokens_given, top_k_given, temperature_given, top_p_given;
} predict_flags;

/* What --view and --tiles say, and --explain and --depth. */
typedef struct predict_view {
    mdf_view view;
    int tiles;
    mdf_explain explain;
    int depth;
} predict_view;

/* Every operand is classified. */
mdf_status predict_classify(const app *a, const predict_flags *f, predict_view view,
                            mdf_session *session, mdf_error *err);

/* Every operand, or no picture, with every question. */
mdf_status predict_ask(const app *a, const predict_flags *f, predict_view view,
                       mdf_session *session, mdf_error *err);

#endif
