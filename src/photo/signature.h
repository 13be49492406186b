/* What a photograph says of its camera: eight numbers that know nothing of the eye's label. */
#ifndef MDF_PHOTO_SIGNATURE_H
#define MDF_PHOTO_SIGNATURE_H

#include "base/limits.h"
#include "photo/image.h"

/* All of the lit field, at 128 pixels across. Logarithms, so that a difference is a ratio. */
enum {
    MDF_SIG_RED,      /* red / green */
    MDF_SIG_GREEN,    /* green / blue */
    MDF_SIG_LIGHT,    /* mean grey */
    MDF_SIG_CONTRAST, /* deviation of grey / its mean */
    MDF_SIG_FINE,     /* differences over one pixel / over three: how sharp, how noisy */
    MDF_SIG_RIM,      /* green of the rim / of the middle: how evenly lit */
    MDF_SIG_RIM_HUE,  /* red / green of the rim over that of the middle */
    MDF_SIG_SHAPE     /* height / width of the field */
};

/* crop: the square around the field of view. Larger than side pixels, it is reduced to them first,
 * as samples are (data/samples.h), so that both ways give the same bits. Fails with MDF_ERR_NOMEM.
 */
mdf_status mdf_signature(float out[MDF_SIGNATURE], const mdf_image *crop, int side,
                         mdf_error *err) MDF_NODISCARD;

#endif
