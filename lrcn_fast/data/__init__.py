"""Video files and clips, images with captions, vocabularies, and batches of all of them."""

from lrcn_fast.data.caption_batches import (
    CAPTION_STEPS,
    CAPTION_STREAMS,
    CaptionBatch,
    CaptionBatches,
    SentenceBatches,
)
from lrcn_fast.data.caption_files import read_captions, read_coco, read_flickr30k, read_karpathy
from lrcn_fast.data.captions import CaptionedImage, CaptionFileError
from lrcn_fast.data.clips import CLIP_STEPS, Segment, split_in_time, stack_clips
from lrcn_fast.data.images import (
    BGR_MEAN,
    ImageError,
    caption_input,
    crop_border,
    random_crop,
    read_image,
    resize,
    subtract_mean,
)
from lrcn_fast.data.video import Video, VideoError, iter_frames, read_video, stream_videos
from lrcn_fast.models.vocabulary import EOS, UNKNOWN, Vocabulary, VocabularyError, tokenize

__all__ = [
    "BGR_MEAN",
    "CAPTION_STEPS",
    "CAPTION_STREAMS",
    "CLIP_STEPS",
    "EOS",
    "UNKNOWN",
    "CaptionBatch",
    "CaptionBatches",
    "CaptionFileError",
    "CaptionedImage",
    "ImageError",
    "Segment",
    "SentenceBatches",
    "Video",
    "VideoError",
    "Vocabulary",
    "VocabularyError",
    "caption_input",
    "crop_border",
    "iter_frames",
    "random_crop",
    "read_captions",
    "read_coco",
    "read_flickr30k",
    "read_image",
    "read_karpathy",
    "read_video",
    "resize",
    "split_in_time",
    "stack_clips",
    "stream_videos",
    "subtract_mean",
    "tokenize",
]
