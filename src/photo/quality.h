/* Is this a fundus photograph that can be read? A score with reasons, from cheap statistics of the
 * field of view. How often it is right on real photographs: docs/QUALITY.md. */
#ifndef MDF_PHOTO_QUALITY_H
#define MDF_PHOTO_QUALITY_H

#include "base/strbuf.h"
#include "photo/fov.h"

/* Reasons; a picture may have several. NO_FUNDUS is the only one that should stop a prediction,
 * and SMALL below MDF_QUALITY_MIN_SIDE; the others are warnings (a dense cataract is blurred by
 * nature). */
enum {
    MDF_QUALITY_DARK = 1 << 0,
    MDF_QUALITY_OVEREXPOSED = 1 << 1,
    MDF_QUALITY_BLURRED = 1 << 2,
    MDF_QUALITY_CUT_OFF = 1 << 3,
    MDF_QUALITY_NO_FUNDUS = 1 << 4,
    MDF_QUALITY_SMALL = 1 << 5,
    MDF_QUALITY_REASONS = 6
};

/* A field of view of fewer pixels across shows an eye's colours at best: nothing to classify. */
#define MDF_QUALITY_MIN_SIDE 32

/* What was measured, all inside the field of view at 160 pixels across. */
enum {
    MDF_QF_CIRCLE,     /* confidence of the disc, 0 if none */
    MDF_QF_WARM_ORDER, /* share of pixels with red >= green >= blue, within noise */
    MDF_QF_WARMTH,     /* mean of (red - blue) / brightest */
    MDF_QF_ONE_HUE,    /* length of the mean colour vector / mean length: 1 = a single hue */
    MDF_QF_ROUGHNESS,  /* mean gradient of grey / mean grey */
    MDF_QF_FINE,       /* share of the gradient that is finer than 3 pixels */
    MDF_QF_CONTRAST,   /* standard deviation of grey / mean grey */
    MDF_QF_GROUND,     /* share of the frame that is dark ground */
    MDF_QF_COUNT
};

typedef struct mdf_quality {
    float score;       /* [0, 1]; below 0.5 at least one reason is set */
    unsigned reasons;  /* MDF_QUALITY_* */
    float fundus_prob; /* [0, 1] that this is a fundus photograph */
    float brightness;  /* mean grey in the field of view, 0..255 */
    float overexposed; /* share of its pixels that are burnt out */
    float sharpness;   /* fine structure at 256 pixels across, in grey levels */
    float feature[MDF_QF_COUNT];
} mdf_quality;

/* fov as found in im by mdf_fov_find(). Fails with MDF_ERR_NOMEM. */
mdf_status mdf_quality_score(mdf_quality *out, const mdf_image *im, const mdf_fov *fov,
                             mdf_error *err) MDF_NODISCARD;

/* "too dark" and so on, for one MDF_QUALITY_* bit. Never NULL. */
const char *mdf_quality_reason_text(unsigned reason);

/* Appends the reasons as "too dark, blurred"; nothing if there are none. */
void mdf_quality_reasons(unsigned reasons, mdf_strbuf *out);

#endif
