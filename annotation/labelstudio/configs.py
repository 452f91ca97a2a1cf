"""The three labelling pages. Control names and values are what `parsing` reads back."""

from annotation.models import Task

NONE, OTHER, UNSURE = "@none", "@other", "@unsure"  # no brand key holds an @
MARK = "mark"
PREDICTION_VERSION = "proposal"  # one name for ever: Label Studio shows the project's one only

TITLES = {
    Task.Kind.BRAND: "1 Which brand",
    Task.Kind.BOXES: "2 Where the marks are",
    Task.Kind.VARIATION: "3 How it is arranged",
}

_STYLE = """<Style>
.page { display: flex; gap: 20px; align-items: flex-start; }
.look { flex: 1 1 56%; min-width: 0; }
.say { flex: 1 1 44%; min-width: 0; }
.guide { max-height: 46vh; overflow-y: auto; margin-top: 12px; padding: 4px 14px 10px;
  border: 1px solid #e3e5e8; border-radius: 8px; background: #fafbfc; font-size: 13px;
  line-height: 1.45; color: #2c3138; }
.guide h3 { margin: 10px 0 2px; font-size: 14px; font-weight: 600; }
.guide p { margin: 2px 0; }
.guide ul { margin: 2px 0; padding-left: 18px; }
.guide section + section { border-top: 1px solid #e3e5e8; }
.guide img { height: 104px; margin: 4px 6px 4px 0; border-radius: 4px; }
.guide .quiet { color: #7b828c; }
.guide p, .guide li { font-size: 13px; }
.guide .point b { color: #59616c; font-weight: 600; }
.cases { display: flex; gap: 10px; margin-top: 10px; }
.cases figure { flex: 1 1 0; min-width: 0; margin: 0; padding: 6px; border: 1px solid #e3e5e8;
  border-radius: 8px; background: #fafbfc; }
.cases img { width: 100%; height: 84px; object-fit: contain; }
.cases figcaption { font-size: 12px; line-height: 1.35; color: #2c3138; }
.cases .quiet { font-size: 12px; color: #6b727c; }
.note:not(:has(blockquote)) { display: none; }
.note blockquote { margin: 0 0 12px; padding: 8px 12px; border-left: 4px solid #b86e00;
  background: #fff6e5; color: #2c3138; font-size: 14px; line-height: 1.45; }
.title h5 { margin: 0 0 8px; min-height: 20px; font-size: 14px; font-weight: 400; color: #59616c; }
.ask h3, .ask h4 { margin: 0 0 10px; font-size: 18px; }
.say .lsf-choices { display: grid; grid-template-columns: repeat(3, 1fr); gap: 6px; }
.say .lsf-choice { margin: 0; }
.say .lsf-choice__item { height: 100%; padding: 6px 8px; border: 1px solid #d9dce1;
  border-radius: 8px; display: flex; align-items: center; }
.say .lsf-choice__item:has(input:checked) { border-color: #3d5ccc; background: #eef2ff; }
.say .lsf-choice__checkbox { width: 100%; min-height: 0; align-items: center; }
.say .lsf-choice__checkbox span { font-size: 13px; line-height: 1.3; }
.say .lsf-hint { top: 0; margin-left: 5px; font-size: 11px; font-weight: 400; color: #7b828c; }
.more { display: flex; gap: 12px; margin-top: 8px; }
.more > * { flex: 1; }
</Style>"""

_GUIDE = """<View className="guide">
        <HyperText name="guide" value="$guideline" inline="true"/>
      </View>"""

_CASES = """<View className="precedents">
        <HyperText name="cases" value="$cases" inline="true"/>
      </View>"""

# What was said when the task came back to its labeler; empty in all others.
_NOTE = """<View className="note"><HyperText name="note" value="$note" inline="true"/></View>"""

_QUESTION = """<TextArea name="question" toName="image" rows="1" maxSubmissions="1"
          editable="true" placeholder="[q] Not sure? Ask here" skipDuplicates="true"/>"""

_IMAGE = """<Image name="image" value="$image" zoom="true" zoomControl="true"
        defaultZoom="fit" maxWidth="100%"/>"""


def _page(ask: str, controls: str) -> str:
    return f"""<View>
  {_STYLE}
  <View className="page">
    <View className="look">
      <View className="title"><Header value="$title" size="5"/></View>
      {_IMAGE}
    </View>
    <View className="say">
      {_NOTE}
      <View className="ask"><Header value="{ask}" size="4"/></View>
      {controls}
      {_CASES}
      {_GUIDE}
    </View>
  </View>
</View>"""


CONFIGS = {
    Task.Kind.BRAND: _page(
        "Which brand does it show?",
        f"""<Choices name="brand" toName="image" value="$brands" choice="single"
        layout="inline" required="true" requiredMessage="Pick one, or skip"/>
      <View className="more">
        <TextArea name="other_brand" toName="image" rows="1" maxSubmissions="1"
          editable="true" placeholder="[o] Another brand: its name"/>
        {_QUESTION}
      </View>""",
    ),
    Task.Kind.BOXES: _page(
        "$ask",
        f"""<RectangleLabels name="boxes" toName="image" strokeWidth="3" opacity="0.15"
        canRotate="false">
        <Label value="{MARK}" background="#e02424" hotkey="1" selected="true"/>
      </RectangleLabels>
      <View className="more">{_QUESTION}</View>""",
    ),
    Task.Kind.VARIATION: _page(
        "How is the picture arranged?",
        f"""<Choices name="variation" toName="image" choice="single" layout="inline"
        required="true" requiredMessage="Pick one, or skip">
        <Choice value="One picture" alias="none" hotkey="0"/>
        <Choice value="Collage of several" alias="collage" hotkey="1"/>
        <Choice value="Stack of goods" alias="stack" hotkey="2"/>
      </Choices>
      <View className="more">{_QUESTION}</View>""",
    ),
}


def project_settings(kind: str) -> dict:
    """What a project is created with and kept at."""
    return {
        "title": TITLES[Task.Kind(kind)],
        "description": f"Kept by Touchstone ({kind}). Changes made here are undone.",
        "label_config": CONFIGS[Task.Kind(kind)],
        "sampling": "Sequential sampling",  # the window is pushed in the order we want
        "maximum_annotations": 1,
        "show_skip_button": True,
        # A skip is an answer (unsure); whether somebody else is asked is for us to say.
        "skip_queue": "IGNORE_SKIPPED",
        "show_instruction": False,
        "show_collab_predictions": True,
        "model_version": PREDICTION_VERSION,
        # Nothing drawn is an answer where boxes are asked for.
        "enable_empty_annotation": kind == Task.Kind.BOXES,
    }
