/* The number type of all maths. float in the product; the gradient tests compile the same sources a
 * second time with double, so that a central difference can be trusted to eight digits. */
#ifndef MDF_KERNEL_REAL_H
#define MDF_KERNEL_REAL_H

#include <math.h>

#ifdef MDF_REAL_DOUBLE
typedef double mdf_real;
#define MDF_R(x)       x
#define MDF_DTYPE_REAL MDF_DTYPE_F64 /* of base/dtype.h */
static inline double mdf_exp(double x)
{
    return exp(x);
}
static inline double mdf_log(double x)
{
    return log(x);
}
static inline double mdf_sqrt(double x)
{
    return sqrt(x);
}
static inline double mdf_tanh(double x)
{
    return tanh(x);
}
static inline double mdf_erf(double x)
{
    return erf(x);
}
#else
typedef float mdf_real;
#define MDF_R(x)       x##f
#define MDF_DTYPE_REAL MDF_DTYPE_F32
static inline float mdf_exp(float x)
{
    return expf(x);
}
static inline float mdf_log(float x)
{
    return logf(x);
}
static inline float mdf_sqrt(float x)
{
    return sqrtf(x);
}
static inline float mdf_tanh(float x)
{
    return tanhf(x);
}
static inline float mdf_erf(float x)
{
    return erff(x);
}
#endif

#endif
