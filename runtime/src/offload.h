/*===- offload.h - Contexts and models whose kernels run on a device -----------===*\
 *
 * On a device, memory of a model:   weights | prepared | scratch
 * of a context:                     state | gradients | slots | states | workspace | added | staging
 *
 * The host keeps the weights too; whichever of the two is older is brought up to date
 * when it is next needed. All functions here do what is plain where kernels run on the
 * host.
 *
\*===----------------------------------------------------------------------===*/

#ifndef NNC_OFFLOAD_H
#define NNC_OFFLOAD_H

#include "device.h"
#include "internal.h"

/*--- Models ----------------------------------------------------------------*/

/** Opens the device and takes memory there; the host's part of the model is there. */
nnc_status nnc_model_offload(nnc_model *model, int32_t device, char *message);
void nnc_model_close_device(nnc_model *model);

/** Brings the host's weights up to date. */
nnc_status nnc_model_fetch(nnc_model *model);

/** Brings the device's weights up to date. */
nnc_status nnc_model_push(nnc_model *model, char *message);

/** Notes that kernels changed the weights, where they have them. */
void nnc_weights_moved(nnc_model *model);

/*--- Contexts --------------------------------------------------------------*/

/** Makes room on the device: `size` bytes for what kernels keep, of which the first
 * `zeroed` are zeroed. */
nnc_status nnc_context_offload(nnc_context *context, void *stream, size_t size, size_t zeroed);
void nnc_context_close_device(nnc_context *context);

/** Where kernels keep the memory of this context. */
char *nnc_context_kernel_memory(nnc_context *context);

/** Runs a function of the network on the device: hands arguments there and results back. */
nnc_status nnc_offload_call(nnc_context *context, int32_t index, nnc_frame *frame, void *const *arguments);

/** Runs generated code that takes no arguments. */
nnc_status nnc_offload_run(nnc_context *context, const char *name, int32_t (*run)(const nnc_frame *frame),
                           nnc_frame *frame);

/** Whether the host can read an argument of the caller. */
bool nnc_host_reads(const nnc_context *context, const void *memory);

/** Copies within memory of kernels, or zeroes it. */
nnc_status nnc_kernels_copy(nnc_context *context, char *to, const char *from, size_t size);
nnc_status nnc_kernels_zero(nnc_context *context, char *memory, size_t size);

/** What kernels have at `memory`, for the host to read; it may change it and push it back.
 * Until the next fetch of this context. */
nnc_status nnc_kernels_fetch(nnc_context *context, const char *memory, size_t size, char **out_host);
nnc_status nnc_kernels_push(nnc_context *context, char *memory, const char *host, size_t size);

#endif /* NNC_OFFLOAD_H */
