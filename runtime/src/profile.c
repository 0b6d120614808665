/*===- profile.c - How long kernels take -------------------------------------===*\
 *
 * Of networks that were compiled with -profile. Generated code calls begin and end
 * around each kernel; a context adds up the times and remembers the last events.
 *
\*===----------------------------------------------------------------------===*/

#include "profile.h"
#include "internal.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/*--- Measuring -------------------------------------------------------------*/

int64_t nnc_now(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

void nnc_profile_begin(nnc_tasks *tasks) {
  if (tasks->profile)
    tasks->profile->begin = nnc_now();
}

static void nnc_profile_add(nnc_profile *profile, nnc_event event) {
  profile->events[profile->event_count++ % NNC_PROFILE_EVENTS] = event;
}

void nnc_profile_end(nnc_tasks *tasks, int32_t group, int64_t bytes) {
  nnc_profile *profile = tasks->profile;
  if (!profile)
    return;
  nnc_event event = {profile->begin, nnc_now(), (double)tasks->work, (double)bytes, group};
  nnc_group_total *total = &profile->totals[group];
  ++total->calls;
  total->time += event.end - event.begin;
  total->flops += event.flops;
  total->bytes += event.bytes;
  nnc_profile_add(profile, event);
}

void nnc_profile_function(nnc_context *context, int32_t function, int64_t begin) {
  if (context->profile)
    nnc_profile_add(context->profile, (nnc_event){begin, nnc_now(), 0, 0, -1 - function});
}

/*--- Reading ---------------------------------------------------------------*/

int32_t nnc_profile_count(const nnc_network *network) { return network ? network->group_count : 0; }

static nnc_status nnc_profile_check(nnc_context *context) {
  if (!context)
    return NNC_INVALID_ARGUMENT;
  if (!context->profile)
    return nnc_fail(context->message, NNC_UNSUPPORTED, "%s was compiled without -profile",
                    context->model->network->name);
  return NNC_OK;
}

nnc_status nnc_profile_at(nnc_context *context, int32_t index, nnc_group_profile *out_group) {
  nnc_status status = nnc_profile_check(context);
  if (status != NNC_OK)
    return status;
  const nnc_network *network = context->model->network;
  if (!out_group || index < 0 || index >= network->group_count)
    return nnc_fail(context->message, NNC_INVALID_ARGUMENT, "%s has %d groups, and no number %d", network->name,
                    (int)network->group_count, (int)index);
  const nnc_group *row = &network->groups[index];
  const nnc_group_total *total = &context->profile->totals[index];
  *out_group = (nnc_group_profile){
      row->function, row->kernel, row->operations, row->layer, row->source, total->calls, (double)total->time * 1e-9,
      total->flops,  total->bytes};
  return NNC_OK;
}

nnc_status nnc_profile_clear(nnc_context *context) {
  nnc_status status = nnc_profile_check(context);
  if (status != NNC_OK)
    return status;
  memset(context->profile->totals, 0, (size_t)context->model->network->group_count * sizeof(nnc_group_total));
  context->profile->event_count = 0;
  return NNC_OK;
}

/*--- Files -----------------------------------------------------------------*/

/** Ends a file; says what went wrong with it. */
static nnc_status nnc_close_file(nnc_context *context, FILE *file, const char *path) {
  bool failed = !file || ferror(file) != 0;
  if (file && fclose(file) != 0)
    failed = true;
  return failed ? nnc_fail(context->message, NNC_IO_ERROR, "%s: %s", path, strerror(errno ? errno : EIO)) : NNC_OK;
}

/** Writes the characters of a string of JSON. */
static void nnc_print_characters(FILE *file, const char *text) {
  for (; *text; ++text) {
    if ((unsigned char)*text < 0x20)
      fprintf(file, "\\u%04x", (unsigned)*text);
    else
      fprintf(file, *text == '"' || *text == '\\' ? "\\%c" : "%c", *text);
  }
}

static void nnc_print_string(FILE *file, const char *name, const char *text) {
  fprintf(file, ",\"%s\":\"", name);
  nnc_print_characters(file, text);
  fputc('"', file);
}

/** An event as Chrome's trace viewer reads it: times are microseconds. */
static void nnc_print_event(FILE *file, const nnc_network *network, const nnc_event *event, int64_t start) {
  fprintf(file, "{\"ph\":\"X\",\"pid\":1,\"tid\":1,\"ts\":%.3f,\"dur\":%.3f", (double)(event->begin - start) * 1e-3,
          (double)(event->end - event->begin) * 1e-3);
  if (event->group < 0) {
    nnc_print_string(file, "name", network->functions[-1 - event->group].name);
    fputs(",\"cat\":\"call\"}", file);
    return;
  }
  const nnc_group *row = &network->groups[event->group];
  nnc_print_string(file, "name", row->operations);
  nnc_print_string(file, "cat", row->function);
  fprintf(file, ",\"args\":{\"flops\":%.0f,\"bytes\":%.0f", event->flops, event->bytes);
  nnc_print_string(file, "kernel", row->kernel);
  nnc_print_string(file, "layer", row->layer);
  nnc_print_string(file, "source", row->source);
  fputs("}}", file);
}

nnc_status nnc_profile_write_trace(nnc_context *context, const char *path) {
  nnc_status status = nnc_profile_check(context);
  if (status != NNC_OK)
    return status;
  if (!path)
    return nnc_fail(context->message, NNC_INVALID_ARGUMENT, "path is null");
  const nnc_network *network = context->model->network;
  const nnc_profile *profile = context->profile;
  int64_t first = profile->event_count > NNC_PROFILE_EVENTS ? profile->event_count - NNC_PROFILE_EVENTS : 0;
  int64_t start = INT64_MAX; /* a call's event comes after those of its kernels */
  for (int64_t i = first; i < profile->event_count; ++i) {
    int64_t begin = profile->events[i % NNC_PROFILE_EVENTS].begin;
    start = begin < start ? begin : start;
  }
  errno = 0;
  FILE *file = fopen(path, "w");
  if (!file)
    return nnc_close_file(context, file, path);
  fputs("{\"displayTimeUnit\":\"ns\",\"traceEvents\":[\n{\"ph\":\"M\",\"pid\":1,\"name\":\"process_name\",\"args\":{",
        file);
  fputs("\"name\":\"", file);
  nnc_print_characters(file, network->name);
  fputs("\"}}", file);
  for (int64_t i = first; i < profile->event_count; ++i) {
    fputs(",\n", file);
    nnc_print_event(file, network, &profile->events[i % NNC_PROFILE_EVENTS], start);
  }
  fputs("\n]}\n", file);
  return nnc_close_file(context, file, path);
}

/** Places of a table, the slowest groups first. */
static int nnc_compare_times(const void *a, const void *b) {
  const nnc_group_profile *first = a, *second = b;
  if (first->seconds != second->seconds)
    return first->seconds > second->seconds ? -1 : 1;
  return strcmp(first->kernel, second->kernel);
}

static void nnc_print_group(FILE *file, const nnc_group_profile *group, double all, nnc_peak peak) {
  double seconds = group->seconds > 0 ? group->seconds : 1e-9;
  fprintf(file, "%10.3f %5.1f %9lld %9.2f %5.1f %8.2f %5.1f  %s: %s %s", group->seconds * 1e3,
          100 * group->seconds / all, (long long)group->calls, group->flops / seconds * 1e-9,
          peak.flops > 0 ? 100 * group->flops / seconds / peak.flops : 0, group->bytes / seconds * 1e-9,
          peak.bytes > 0 ? 100 * group->bytes / seconds / peak.bytes : 0, group->function, group->kernel,
          group->operations);
  if (*group->layer)
    fprintf(file, " of %s", group->layer);
  fprintf(file, *group->source ? " (%s)\n" : "\n", group->source);
}

nnc_status nnc_profile_write_table(nnc_context *context, const char *path) {
  nnc_status status = nnc_profile_check(context);
  if (status != NNC_OK)
    return status;
  if (!path)
    return nnc_fail(context->message, NNC_INVALID_ARGUMENT, "path is null");
  int32_t count = context->model->network->group_count, used = 0;
  nnc_group_profile *groups = malloc(((size_t)count + 1) * sizeof *groups);
  if (!groups)
    return nnc_fail(context->message, NNC_OUT_OF_MEMORY, "a table of %d groups", (int)count);
  double all = 0;
  for (int32_t i = 0; i < count; ++i) {
    nnc_group_profile group;
    nnc_profile_at(context, i, &group);
    all += group.seconds;
    if (group.calls > 0)
      groups[used++] = group;
  }
  qsort(groups, (size_t)used, sizeof *groups, nnc_compare_times);
  nnc_peak peak = nnc_measure_peak(context->model);
  errno = 0;
  FILE *file = fopen(path, "w");
  if (file) {
    fprintf(file, "%s: %.3f ms in kernels; %d thread%s of this machine: %.1f GFLOP/s, memory %.1f GB/s\n",
            context->model->network->name, all * 1e3, nnc_threads(), nnc_threads() == 1 ? "" : "s", peak.flops * 1e-9,
            peak.bytes * 1e-9);
    fprintf(file, "%10s %5s %9s %9s %5s %8s %5s  %s\n", "ms", "%", "calls", "GFLOP/s", "peak%", "GB/s", "mem%",
            "group");
    for (int32_t i = 0; i < used; ++i)
      nnc_print_group(file, &groups[i], all > 0 ? all : 1, peak);
  }
  free(groups);
  return nnc_close_file(context, file, path);
}
