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
 * Not a medical device: results are for research and must not guide care. */
#ifndef MDF_H
#define MDF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define MDF_VERSION "0.1.0"

#if defined(__GNUC__)
#define MDF_API       __attribute__((visibility("default")))
#define MDF_NODISCARD __attribute__((warn_unused_result))
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

#ifdef __cplusplus
}
#endif

#endif
