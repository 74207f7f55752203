"""Config of maps from measured depth: lifting of keypoints, fusion into landmarks, and checks."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from hloc_lite.config.section import Section, Use


class LiftingConfig(Section):
    """Depth of map images: how files are read, how keypoints are lifted, and what is refused."""

    use: ClassVar[Use] = Use.MODEL

    integer_step: float = Field(0.001, gt=0, le=1000)
    """Depth of one step of an integer image: most sensors store millimetres of a metric map (TUM
    RGB-D: 0.0002). 0 and the largest number of the type are unknown."""
    max_megapixels: float = Field(50.0, gt=0, le=1000)
    """Larger depth images are refused before decoding (50 take 0.2 GB)."""
    window_px: int = Field(2, ge=1, le=10)
    """Half the width of the window, in pixels of the depth image, in which a plane is fitted: 2 is
    25 pixels, which averages the steps of sensors and rarely reaches over an edge."""
    max_relative_gradient: float = Field(0.03, gt=0, le=10)
    """Relative change of depth from a pixel to the next that makes an edge. A keypoint there may
    lie on either side, so it is not lifted. At 525 px focal length 0.03 is a surface slanted by 86
    degrees."""
    min_window_share: float = Field(0.25, gt=0, le=1)
    """Least share of the window's pixels with a depth: fewer do not show if there is an edge."""
    sensor_noise: float = Field(0.0019, ge=0, le=10)
    """Depth noise at depth 1, which grows with the square of depth: structured light and stereo
    (0.0019 in metres: Kinect, Nguyen 2012). Time-of-flight sensors and laser scanners have less
    than this beyond 3 m."""
    sensor_noise_floor: float = Field(0.0012, ge=0, le=10)
    """Depth noise near the sensor (0.0012 in metres: Kinect, Nguyen 2012)."""
    systematic_noise: float = Field(0.01, ge=0, le=1)
    """Relative depth error that neighbouring pixels and images share, where too few triangulated
    points tell it: Kinect and HoloLens have 0.01 to 0.02."""
    correct: bool = True
    """Correct measured depth by the line that relates it to triangulated depth, and report it."""
    keypoint_sigma_px: float = Field(1.0, gt=0, le=100)
    """Standard deviation of keypoints along each axis, at ``reference_side_px``: RootSIFT and
    learned features have 0.5 to 1.5 under other viewpoints."""
    reference_side_px: int = Field(1024, ge=64, le=10**6)
    """Longer image side at which ``keypoint_sigma_px`` holds."""
    fusion_sigmas: float = Field(3.0, gt=0, le=100)
    """Lifted points that a match connects are one landmark if they are within this many standard
    deviations of their difference: 99 % of normal errors."""
    min_image_landmarks: int = Field(400, ge=0, le=10**6)
    """Landmarks up to which an image keeps lifted keypoints that no match confirms, the most
    certain ones first; 0: none. Where others see enough of it too, they only resemble landmarks
    that are there already. A map of one image keeps all."""
    min_check_points: Annotated[int, Use.MODEL | Use.ACCEPTANCE] = Field(50, ge=10, le=10**6)
    """Observations of well triangulated points that a check of depth needs; an image needs a fifth
    of them."""
    max_check_sigma: float = Field(0.02, gt=0, le=1)
    """Relative standard deviation of the depth of triangulated points above which they say little
    about measured depth."""
    max_scale: Annotated[float, Use.ACCEPTANCE] = Field(1.1, gt=1, le=100)
    """Median ratio (or its inverse) of measured depth to that of triangulated points above which
    depth is refused: other units, or poses of another scale. Sensors are within 1.03."""
    agreement_ratio: float = Field(1.1, gt=1, le=10)
    """Ratio of measured depth to that of a triangulated point up to which they agree."""
    min_agreement: float = Field(0.5, ge=0, le=1)
    """Share of triangulated points that must agree: images with less are used without their depth,
    and all depth is refused where the median image has less."""
    registration_gain: Annotated[float, Use.ACCEPTANCE] = Field(1.15, ge=1, le=100)
    """Factor by which errors must shrink if depth images are moved or scaled for a warning that
    they are not registered to the photos. 1.24 for the depth camera of 7-Scenes, 1.0 for its
    registered depth and for HoloLens."""
