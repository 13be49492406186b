/* A crude fundus for tests of field of view and quality: an orange disc with a bright optic disc
 * and dark branching lines, on black. Not the phantom generator: independent of it on purpose. */
#ifndef MDF_TESTS_EYE_H
#define MDF_TESTS_EYE_H

#include <math.h>
#include <stdint.h>

#include "base/rng.h"
#include "photo/image.h"

static inline uint8_t eye_byte(double v)
{
    return (uint8_t)(v < 0.0 ? 0.0 : v > 255.0 ? 255.0 : v);
}

/* im has its size already. light 1 = well lit. */
static inline void eye_draw(mdf_image *im, double cx, double cy, double r, double light)
{
    mdf_rng noise = mdf_rng_new(3, 3);
    for (int y = 0; y < im->height; y++) {
        for (int x = 0; x < im->width; x++) {
            uint8_t *p = im->rgb + 3 * (y * im->width + x);
            const double dx = ((double)x + 0.5 - cx) / r;
            const double dy = ((double)y + 0.5 - cy) / r;
            const double d2 = dx * dx + dy * dy;
            const double grain = mdf_rng_normal(&noise);
            double v[3] = {3.0 + grain, 2.0 + grain, 2.0 + grain};
            if (d2 < 1.0) {
                const double vessel = sin(9.0 * dx + 5.0 * dy * dy) * sin(7.0 * dy - 3.0 * dx * dy);
                const double dark = exp(-vessel * vessel * 60.0);
                const double disc = exp(-((dx - 0.5) * (dx - 0.5) + dy * dy) * 60.0);
                const double fall = light * (1.0 - 0.35 * d2);
                v[0] = fall * (190.0 - 35.0 * dark + 50.0 * disc) + 2.0 * grain;
                v[1] = fall * (100.0 - 45.0 * dark + 90.0 * disc) + 2.0 * grain;
                v[2] = fall * (45.0 - 18.0 * dark + 70.0 * disc) + 2.0 * grain;
            }
            for (int c = 0; c < 3; c++) {
                p[c] = eye_byte(v[c]);
            }
        }
    }
}

#endif
