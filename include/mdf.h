/* mdf.h - the whole public interface of libmdf.
 *
 * mdf_engine   a loaded model: weights, tokenizer, labels, calibration. Immutable; may be shared by
 *              threads.
 * mdf_session  scratch memory for one request at a time. One thread at a time.
 * mdf_trainer  a model being changed: see mdf_train(). One thread at a time.
 *
 *     mdf_engine *engine = NULL;
 *     mdf_session *session = NULL;
 *     mdf_error err = {0};
 *     mdf_result result;
 *     if (mdf_engine_open(&engine, &(mdf_engine_options){.model_dir = "models/small"}, &err) ||
 *         mdf_session_new(&session, engine, &err) ||
 *         mdf_session_classify(session, &(mdf_case){.image = bytes, .image_bytes = n,
 *                              .text = "63-year-old female. Left eye."}, &result, &err)) {
 *         fprintf(stderr, "%s\n", err.text);
 *     }
 *
 * A program that handles signals gives its handlers a stack of their own (sigaltstack, SA_ONSTACK):
 * oneDNN's products use the stack pointer for other things while they run.
 *
 * Not a medical device: results are for research and must not guide care. */
#ifndef MDF_H
#define MDF_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define MDF_VERSION "0.1.0"

#if defined(__GNUC__)
#define MDF_API          __attribute__((visibility("default")))
#define MDF_NODISCARD    __attribute__((warn_unused_result))
#define MDF_PRINTF(f, a) __attribute__((format(printf, f, a)))
#else
#define MDF_API
#define MDF_NODISCARD
#define MDF_PRINTF(f, a)
#endif

/* name, what a user reads */
#define MDF_STATUS_MAP(X)                                                                          \
    X(OK, "success")                                                                               \
    X(ERR_NOMEM, "out of memory")                                                                  \
    X(ERR_IO, "input/output error")                                                                \
    X(ERR_FORMAT, "malformed input")                                                               \
    X(ERR_LIMIT, "input exceeds a limit")                                                          \
    X(ERR_SHAPE, "tensor shapes do not agree")                                                     \
    X(ERR_ARG, "invalid argument")                                                                 \
    X(ERR_NUMERIC, "a number is not finite")                                                       \
    X(ERR_STOPPED, "stopped by the user")

typedef enum mdf_status {
#define MDF_STATUS_ENUM(name, text) MDF_##name,
    MDF_STATUS_MAP(MDF_STATUS_ENUM)
#undef MDF_STATUS_ENUM
} mdf_status;

/* Filled by the function that fails first; caller-owned, no allocation, safe to reuse. */
typedef struct mdf_error {
    mdf_status code;
    size_t offset;  /* byte of the input at which a parser stopped, else 0 */
    char text[512]; /* one sentence that names the file, tensor, key or flag */
} mdf_error;

/* The fixed text of a status, e.g. "out of memory". Never NULL. */
MDF_API const char *mdf_status_text(mdf_status status);

#define MDF_MAX_LABELS   256
#define MDF_MAX_HEAT     4096 /* cells of a heat-map: 64 x 64 */
#define MDF_MAX_WARNINGS 8
#define MDF_MAX_KINDS    8  /* of masks that one model draws */
#define MDF_MAX_CAUTIONS 24 /* warnings about masks and their measures */

typedef struct mdf_engine mdf_engine;
typedef struct mdf_session mdf_session;

/* How keys and values are kept that later tokens of a question read again. */
typedef enum mdf_kv_type {
    MDF_KV_F16,  /* half precision: half of the memory of F32 */
    MDF_KV_BF16, /* the upper half of a float: for models whose keys exceed 65504 */
    MDF_KV_F32,  /* not rounded */
    MDF_KV_Q8_0  /* eight bits and a scale for 32 numbers; the width of a head is a multiple */
} mdf_kv_type;

/* A zeroed struct means every default. */
typedef struct mdf_engine_options {
    const char *model_dir; /* config.json and model.safetensors or pytorch_model.bin, or shards */
    const char *max_isa;   /* "ref", "avx2", "avx512", "avx512vnni"; NULL = the best there is */
    int threads;           /* compute threads of the whole process; 0 = one per core */
    bool check_tensors;    /* look at every weight first: reads all of a large model's files */
    const char *lora; /* folder of a PEFT adapter whose change is added in memory; NULL: none */
    const char *chat_template; /* file with a chat template in place of the folder's, see
                                  mdf_session_ask(); NULL: none */
    bool labels_optional;      /* a model without labels will do: it can be asked, see
                                  mdf_session_ask() */
    mdf_kv_type kv_type;       /* of mdf_session_ask() */
} mdf_engine_options;

/* What the vision tower gets to see of a photograph. The U-Net always sees the crop. */
typedef enum mdf_view {
    MDF_VIEW_USUAL, /* of a model with labels the crop, of others the whole */
    MDF_VIEW_CROP,  /* the square around the field of view */
    MDF_VIEW_WHOLE  /* all of the photograph, whatever its shape */
} mdf_view;

/* How a heat-map is made: which parts of the picture speak for the best label (docs/MODEL.md,
 * section 9). */
typedef enum mdf_explain {
    MDF_EXPLAIN_USUAL,     /* layercam */
    MDF_EXPLAIN_GRADIENT,  /* gradient times feature where features leave the U-Net */
    MDF_EXPLAIN_LAYERCAM,  /* positive gradients times features at their own resolution */
    MDF_EXPLAIN_ATTENTION, /* attention of the fusion times its gradient */
    MDF_EXPLAIN_OCCLUSION  /* what the answer loses when a cell is blurred: seconds a picture */
} mdf_explain;

/* As many tiles as the model has. */
#define MDF_TILES_ALL (-1)

/* A photograph as bytes (JPEG, PNG, TIFF, WebP, GIF) and what is known of the patient. Borrowed. */
typedef struct mdf_case {
    const void *image;
    size_t image_bytes;
    const char *name;    /* for error sentences; NULL = "picture" */
    const char *text;    /* clinical sentence, UTF-8; NULL or "" = none */
    bool heatmap;        /* also explain the best label */
    mdf_explain explain; /* how; where the model can't be explained so: MDF_ERR_ARG, or without
                            a heat-map if it is the usual way */
    int explain_depth;   /* 1..4 a level of the U-Net, 5 its bottleneck; 0: all of them joined */
    mdf_view view;
    int tiles; /* most tiles of the vision tower that the photograph is cut into, by its size and
                  shape; 0: one, as models are trained here */
} mdf_case;

typedef struct mdf_result {
    int label_count;                   /* of the allowed labels, see mdf_session_restrict() */
    int best;                          /* index of the largest probability */
    float prob[MDF_MAX_LABELS];        /* calibrated; sums to 1 */
    const char *label[MDF_MAX_LABELS]; /* owned by the engine */
    float quality;                     /* [0,1], 1 = a sharp, well-lit fundus photograph */
    bool gradable; /* false: no fundus, or a handful of pixels; the probabilities mean nothing then
                    */
    int warning_count;
    const char *warning[MDF_MAX_WARNINGS]; /* reasons, static texts: "blurred", "cut off", ... */
    int crop_left, crop_top, crop_side;    /* square that the model saw, pixels of the photograph
                                              after its EXIF orientation */
    int heat_side;                         /* cells per side; 0 = no heat-map */
    float heat[MDF_MAX_HEAT]; /* [heat_side, heat_side] over the crop, 0..1: how much the parts of
                                 the picture speak for the best label */
    double decode_ms, forward_ms;
    double distance;       /* to the nearest photograph that the model remembers (docs/MODEL.md) */
    double distance_limit; /* farther than this is a warning; 0: the model remembers none */
    double distance_share; /* of photographs like its own that are within the limit */
    int set_count;         /* labels in the set, see mdf_session_cover(); -1: none was asked for */
    bool in_set[MDF_MAX_LABELS]; /* [label_count] */
} mdf_result;

/* The warning of a photograph beyond distance_limit. */
#define MDF_WARNING_UNLIKE "unlike the photographs this model was trained on"

/* Reads the model; the matrices of a large one stay in its files, which are mapped and must not be
 * changed meanwhile. Caller owns *out: mdf_engine_close(). The error names file, key or tensor. */
MDF_API MDF_NODISCARD mdf_status mdf_engine_open(mdf_engine **out, const mdf_engine_options *opt,
                                                 mdf_error *err);
MDF_API void mdf_engine_close(mdf_engine *e); /* NULL is allowed; no session may be left */

MDF_API int mdf_engine_label_count(const mdf_engine *e);
MDF_API const char *mdf_engine_label(const mdf_engine *e, int index); /* owned by the engine */

/* The engine must outlive the session. */
MDF_API MDF_NODISCARD mdf_status mdf_session_new(mdf_session **out, mdf_engine *e, mdf_error *err);
MDF_API void mdf_session_free(mdf_session *s);

/* From the next call on: soon after *stop is no longer 0 (set by a signal handler or another
 * thread), a call ends with MDF_ERR_STOPPED; an answer in words ends as if on_text wanted no more.
 * NULL: never. */
MDF_API void mdf_session_watch(mdf_session *s, const volatile sig_atomic_t *stop);

/* Only these answers, from the next call on; their probabilities sum to 1. labels must be among the
 * engine's. NULL, 0: all. */
MDF_API MDF_NODISCARD mdf_status mdf_session_restrict(mdf_session *s, const char *const *labels,
                                                      size_t count, mdf_error *err);

/* From the next call on, classifying also gives a set of labels that holds the true one with at
 * least this probability, over cases like those that the model was calibrated with. coverage in
 * (0, 1), 0: no sets. MDF_ERR_ARG: the model was not calibrated, or with too few cases for this
 * coverage. Sets are of all labels: under mdf_session_restrict() classifying is MDF_ERR_ARG. */
MDF_API MDF_NODISCARD mdf_status mdf_session_cover(mdf_session *s, double coverage, mdf_error *err);

/* MDF_ERR_FORMAT: not a picture, or the text is not UTF-8. MDF_ERR_LIMIT: picture or text too
 * large. *out is untouched then.
 */
MDF_API MDF_NODISCARD mdf_status mdf_session_classify(mdf_session *s, const mdf_case *c,
                                                      mdf_result *out, mdf_error *err);

/* A photograph as bytes (JPEG, PNG, TIFF, WebP, GIF). Borrowed. */
typedef struct mdf_photo {
    const void *image;
    size_t image_bytes;
    const char *name; /* for error sentences; NULL = "picture" */
} mdf_photo;

/* Why a measure is missing, or not to be trusted: static texts, each once. */
typedef struct mdf_cautions {
    int count;
    const char *text[MDF_MAX_CAUTIONS];
} mdf_cautions;

/* What masks say of an eye (docs/BIOMETRY.md). "Diameters" are those of the field of view, and
 * areas are shares of its pixels, because no photograph says how many millimetres it shows. NAN:
 * not measured. x goes to the right, y down. */
typedef struct mdf_vessel_measures {
    double area;      /* share of the field of view */
    double dimension; /* box-counting dimension of the mask, about 1 to 2 */
} mdf_vessel_measures;

typedef struct mdf_disc_measures {
    double x, y;               /* its middle, pixels of the photograph */
    double offset_x, offset_y; /* of its middle from that of the field of view, diameters */
    double area;               /* share of the field of view */
    double diameter;           /* of the circle of equal area, diameters */
    double width, height;      /* of its box, diameters */
    double cup_area;           /* share of the field of view */
    double cup_height;         /* of its box, diameters */
    double cup_disc_ratio;     /* vertical: cup_height / height */
} mdf_disc_measures;

typedef struct mdf_lesion_measures {
    double count; /* connected areas; crumbs are left out */
    double area;  /* share of the field of view that they cover */
} mdf_lesion_measures;

typedef struct mdf_segmentation {
    int width, height; /* of the photograph after its EXIF orientation, and of its masks */
    float quality;     /* [0,1], 1 = a sharp, well-lit fundus photograph */
    bool gradable; /* false: no fundus; there are masks, but they mean nothing, and no measures */
    double field_x, field_y, field_diameter;   /* of the field of view, pixels */
    int64_t field_area;                        /* pixels */
    int crop_left, crop_top, crop_side;        /* the square around it that the model saw */
    mdf_vessel_measures vessel;                /* NAN where the model has no such mask */
    mdf_disc_measures disc;                    /* the same */
    mdf_lesion_measures lesion[MDF_MAX_KINDS]; /* of mask i; NAN for vessel, disc and cup */
    mdf_cautions caution;
    double decode_ms, forward_ms;
} mdf_segmentation;

/* The kinds of masks that the model draws: "vessel", "disc", "cup", "lesion", "haemorrhage",
 * "hard_exudate". 0: none. */
MDF_API int mdf_engine_mask_count(const mdf_engine *e);
MDF_API const char *mdf_engine_mask(const mdf_engine *e, int index); /* static */

/* Draws masks of a photograph, from probability `threshold` (0 to 1) on, and measures them. The
 * model sees the square around the field of view in overlapping tiles, at the detail that it was
 * trained for. MDF_ERR_ARG: a model without masks, a picture without a field of view or with one of
 * a handful of pixels. MDF_ERR_FORMAT: not a picture. *out is untouched on failure. */
MDF_API MDF_NODISCARD mdf_status mdf_session_segment(mdf_session *s, const mdf_photo *photo,
                                                     double threshold, mdf_segmentation *out,
                                                     mdf_error *err);

/* Mask `index` of the photograph that mdf_session_segment() saw last: px [height, width], 255
 * inside, 0 outside and beyond the field of view. The caller owns px. MDF_ERR_ARG: there was none,
 * or it failed. */
MDF_API MDF_NODISCARD mdf_status mdf_session_mask(mdf_session *s, int index, uint8_t *px,
                                                  mdf_error *err);

/* Something to be answered in words. Borrowed. */
typedef struct mdf_question {
    const void *image; /* NULL: none; a text model takes none */
    size_t image_bytes;
    const char *name;       /* for error sentences; NULL = "picture" */
    const mdf_photo *photo; /* [photo_count] in place of image: one question about all of them, in
                               this order; a model with labels takes one */
    size_t photo_count;     /* 0: image, if any; 16 at most */
    const char *text;       /* clinical sentence, UTF-8; NULL or "" = none */
    const char *question;
    const char *system; /* message of the system before it, UTF-8; NULL: none */
    mdf_view view;
    int tiles;                 /* as in mdf_case; 0: one for a model with labels, else all */
    bool go_on;                /* the next turn of the conversation that the question before began
                                  or went on with, or that mdf_session_load() read: without
                                  photographs and system message, which stand at its beginning */
    bool same_image;           /* as the question before, all of them if there are several: what was
                                  computed of them is used again */
    int max_tokens;            /* of the answer; 0 = 512 */
    bool sample;               /* draw tokens by the model's generation_config.json; false: always
                                  the likeliest */
    double temperature, top_p; /* above 0: draw by these instead */
    int top_k;                 /* above 0: only so many tokens to draw from */
    uint64_t seed;             /* of the drawing */
    bool (*on_text)(void *user, const char *text, size_t bytes); /* after every token: whole
                                   characters, maybe none; false: enough. May be NULL */
    void *user;
} mdf_question;

typedef enum mdf_reply_end {
    MDF_REPLY_COMPLETE, /* the model ended it */
    MDF_REPLY_CUT,      /* max_tokens, or all that the model can remember */
    MDF_REPLY_STOPPED   /* on_text wanted no more */
} mdf_reply_end;

typedef struct mdf_reply {
    const char *text;     /* UTF-8; the session's until its next call */
    size_t text_bytes;    /* of it: a model may say a NUL, too, behind which the text goes on */
    const int32_t *token; /* [token_count], the ending one included; the session's too */
    int token_count;
    int prompt_count; /* tokens */
    mdf_reply_end end;
    double picture_ms; /* reading the photographs */
    double prompt_ms;  /* vision tower and prompt */
    double answer_ms;
} mdf_reply;

/* What the model reads of a question, one token after the other. */
typedef struct mdf_shown_prompt {
    const char *text;         /* as its tokens spell it; special tokens by name, maybe not UTF-8 */
    const int32_t *token;     /* [token_count] */
    const char *const *piece; /* [token_count] the text of each */
    int token_count;
} mdf_shown_prompt;

/* The prompt that mdf_session_ask() would read; nothing is computed, the picture is not opened.
 * What *out points to is the session's until its next call. */
MDF_API MDF_NODISCARD mdf_status mdf_session_show(mdf_session *s, const mdf_question *q,
                                                  mdf_shown_prompt *out, mdf_error *err);

/* The model's own words: the chat template of its folder around photographs, text and question, in
 * this order; the form that it was trained with if it has labels. MDF_ERR_LIMIT: more tokens than
 * the model can remember, or too many photographs. MDF_ERR_ARG: photographs that the model does not
 * take. *out is untouched on failure. */
MDF_API MDF_NODISCARD mdf_status mdf_session_ask(mdf_session *s, const mdf_question *q,
                                                 mdf_reply *out, mdf_error *err);

/* Whether questions can be turns of one conversation (mdf_question.go_on): the model has a chat
 * template. */
MDF_API bool mdf_engine_converses(const mdf_engine *e);

/* Writes the conversation that the questions before made (mdf_question.go_on) to a file: its words,
 * tokens, keys and values, and which model it is with. The file is replaced as a whole, or stays as
 * it was. MDF_ERR_ARG: there is none, or the model has no chat template. MDF_ERR_IO */
MDF_API MDF_NODISCARD mdf_status mdf_session_save(mdf_session *s, const char *path, mdf_error *err);

/* Reads such a file: the next question with go_on is the next turn, answered as if there had been
 * no break; its photographs are not needed. MDF_ERR_FORMAT, MDF_ERR_SHAPE: the file is damaged, or
 * none of these. MDF_ERR_ARG: it belongs to another model, or another kv_type. MDF_ERR_LIMIT: its
 * keys and values take more memory than there is. The session is as before on failure. */
MDF_API MDF_NODISCARD mdf_status mdf_session_load(mdf_session *s, const char *path, mdf_error *err);

#ifdef __cplusplus
}
#endif

#endif
