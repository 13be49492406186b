/* Adapters of a model that is trained by LoRA (docs/MODEL.md section 7): which matrices get one. */
#ifndef MDF_NN_ADAPTERS_H
#define MDF_NN_ADAPTERS_H

#include "config/config.h"
#include "nn/params.h"

/* Declares, behind all parameters of the model, "MODULE.lora_A.weight" [r,I] (uniform within 1 /
 * sqrt(I)) and "MODULE.lora_B.weight" [O,r] (zero) for each linear module of text model, vision
 * tower and projector that train_config.lora.target_modules name, and gives the module's matrix its
 * adapter. As PEFT does it, a target is the module's name or its last parts; "all-linear" is every
 * one. Nothing without lora.r. MDF_ERR_ARG: a target that no module has, or there is none. */
mdf_status mdf_adapters_declare(mdf_params *p, const mdf_config *c, mdf_error *err) MDF_NODISCARD;

/* Is it what --lora freezes: of text model, vision tower or projector, and no adapter? */
bool mdf_adapters_freeze(const mdf_param *p);

#endif
