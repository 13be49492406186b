/* The insides of a session, for the files that share it. */
#ifndef MDF_ENGINE_SESSION_H
#define MDF_ENGINE_SESSION_H

#include "base/limits.h"
#include "data/batch_fill.h"
#include "engine/conversation.h"
#include "engine/engine.h"
#include "engine/explain.h"
#include "language/detokenise.h"
#include "nn/decode.h"
#include "photo/field.h"

/* What the model reads of a question's photographs; arrays are made when first needed and stay. */
typedef struct mdf_session_view {
    mdf_real *unet;             /* [S,S,3] */
    float *planes;              /* [max_num_tiles,3,t,t] of one photograph */
    mdf_real *tile;             /* [room,t,t,3]: the used ones of all photographs */
    int64_t room, tiles;        /* tiles that fit, that are in */
    int32_t id[MDF_MAX_PHOTOS]; /* [photos] of their tiles' grids */
    int photos;                 /* that are in tile */
    bool has_unet;              /* unet is filled */
} mdf_session_view;

struct mdf_conformal;
/* Masks of the photograph that was segmented last. */
typedef struct mdf_session_maps {
    float *logit; /* [side, side, M], made when first needed */
    int side;
    bool drawn; /* the rest is filled */
    mdf_field field;
    mdf_square at;   /* that the maps lie over */
    float threshold; /* logit */
} mdf_session_maps;

struct mdf_session {
    mdf_engine *engine;
    mdf_kernels *kernels;
    mdf_graph graph;         /* records only what the heat-map needs */
    mdf_label_tree *tree;    /* NULL: a model without labels */
    mdf_batch_buffer buffer; /* empty without labels */
    bool allowed[MDF_MAX_LABELS];
    struct mdf_conformal *sets; /* NULL: none are wanted */
    bool round_view;            /* the last picture's field of view is a disc that fills the crop */
    const volatile sig_atomic_t *stop; /* or NULL */
    mdf_session_view view;
    mdf_decoder *decoder;  /* made with the first question */
    bool kept;             /* the decoder knows the pictures that view holds, all of them */
    mdf_conversation chat; /* of questions that go on; no turns: none, or no chat template */
    uint64_t memory;       /* bytes that a decoder may take; 0: what the system has */
    mdf_detokeniser said;
    int32_t *token; /* [token_room] */
    size_t token_room;
    mdf_arena shown; /* of mdf_session_show() */
    mdf_session_maps maps;
};

/* How far the model can be believed: the distance of what it sees from what it knows, with its
 * warning, and the set of labels for r's probabilities, which are of all of them. */
mdf_status mdf_session_distance(const mdf_session *s, const mdf_image *crop, mdf_result *r,
                                mdf_error *err) MDF_NODISCARD;
mdf_status mdf_session_set(const mdf_session *s, mdf_result *r, mdf_error *err) MDF_NODISCARD;

/* Cuts one more picture, or of it the square `at` (NULL: all of it), for the vision tower, as
 * Llama's image processor does, into most tiles at most (MDF_TILES_ALL: as many as the model has):
 * view.tile and view.id. */
mdf_status mdf_session_cut(mdf_session *s, const mdf_image *full, const mdf_square *at, int most,
                           mdf_error *err) MDF_NODISCARD;

/* q's photographs, one after the other, as it wants them, for tower and U-Net; takes note of both
 * in s->view, which holds none on failure. */
mdf_status mdf_session_see(mdf_session *s, const mdf_question *q, mdf_error *err) MDF_NODISCARD;
void mdf_session_view_clear(mdf_session_view *v); /* no photograph; keeps the memory */
void mdf_session_view_free(mdf_session_view *v);
void mdf_session_maps_free(mdf_session_maps *m);

/* A prompt's tokens. */
typedef struct mdf_prompt_tokens {
    int32_t *token; /* [room] */
    size_t room, count;
    int32_t image_at[MDF_MAX_PHOTOS]; /* [images] ascending */
    int images;
} mdf_prompt_tokens;

/* How many photographs q gives. */
size_t mdf_session_given(const mdf_question *q);

/* How many of them the model wants: all or none, one with labels may have been trained without. */
int mdf_session_wanted(const mdf_session *s, const mdf_question *q);

/* MDF_ERR_LIMIT, MDF_ERR_ARG: q gives more photographs than a question, or the model, takes. */
mdf_status mdf_session_check(const mdf_session *s, const mdf_question *q,
                             mdf_error *err) MDF_NODISCARD;

/* What c says about a heat-map. */
typedef struct mdf_session_how {
    mdf_explain method;
    bool wanted;         /* false: none, or the usual method does not suit the model */
    bool needs_gradient; /* for it */
} mdf_session_how;

/* MDF_ERR_ARG: the model's answer can't be explained so. */
mdf_status mdf_session_how_to_explain(const mdf_session *s, const mdf_case *c, mdf_session_how *out,
                                      mdf_error *err) MDF_NODISCARD;

/* Label scores of the case in s->buffer. taps: mdf_explain_taps() of a method that needs a
 * gradient, else NULL. MDF_ERR_NUMERIC names the case. */
mdf_status mdf_session_forward(mdf_session *s, mdf_taps *taps, mdf_output *o, const char *name,
                               mdf_error *err) MDF_NODISCARD;

/* How the picture speaks for a label: what o shows of it (it does not outlive this), or, by
 * occlusion, more forward passes of s->buffer. Caller frees *out. */
mdf_status mdf_session_explain(mdf_session *s, mdf_explanation *out, const mdf_output *o,
                               const mdf_taps *taps, mdf_explain method, int label,
                               mdf_error *err) MDF_NODISCARD;

/* The same for r->best, as r's heat-map. */
mdf_status mdf_session_heat(mdf_session *s, const mdf_case *c, const mdf_session_how *how,
                            const mdf_output *o, const mdf_taps *taps, mdf_result *r,
                            mdf_error *err) MDF_NODISCARD;

/* q's text and, a line below, its question. */
mdf_status mdf_session_words(mdf_strbuf *out, const mdf_question *q, mdf_error *err) MDF_NODISCARD;

/* A decoder with room for so many tokens and for the keys of so many image tokens, neither of which
 * it has, takes no more memory than there is. MDF_ERR_LIMIT has both numbers. */
mdf_status mdf_session_has_memory(const mdf_session *s, int64_t tokens, int64_t keys,
                                  mdf_error *err) MDF_NODISCARD;

/* What the model reads of q, which was checked, by the folder's chat template or in the form of its
 * training. */
mdf_status mdf_session_build(const mdf_session *s, const mdf_question *q, mdf_prompt_tokens *p,
                             mdf_error *err) MDF_NODISCARD;

/* Where reading a question left the decoder. */
typedef struct mdf_session_prompt {
    int count;      /* tokens */
    int max_tokens; /* that may follow */
    double picture_ms, prompt_ms;
} mdf_session_prompt;

/* Reads photographs, text and question (NULL: no question, only the text) with the session's
 * decoder, behind which there is room for q->max_tokens and the labels' tree. */
mdf_status mdf_session_read(mdf_session *s, const mdf_question *q, mdf_session_prompt *out,
                            mdf_error *err) MDF_NODISCARD;

#endif
