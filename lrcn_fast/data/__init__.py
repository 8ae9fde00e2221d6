"""Video files, clips and batches."""

from lrcn_fast.data.clips import CLIP_STEPS, Segment, split_in_time, stack_clips
from lrcn_fast.data.video import Video, VideoError, iter_frames, read_video, stream_videos

__all__ = [
    "CLIP_STEPS",
    "Segment",
    "Video",
    "VideoError",
    "iter_frames",
    "read_video",
    "split_in_time",
    "stack_clips",
    "stream_videos",
]
