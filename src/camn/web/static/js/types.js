/**
 * What goes over the wire: docs/reference/web-api.md, as types.
 *
 * @typedef {{id: number, name: string, colour: string}} Obj
 *
 * @typedef {object} Project
 * @property {string} id
 * @property {string} name
 * @property {string} created ISO 8601
 * @property {"new" | "decoding" | "ready" | "failed"} state
 * @property {string | null} error
 * @property {string[]} notes
 * @property {number} width
 * @property {number} height
 * @property {number} display_width
 * @property {number} display_height
 * @property {number} fps
 * @property {number} count frames that can be shown now
 * @property {number | null} total
 * @property {Obj[]} objects
 *
 * @typedef {Project & {given: number[], predicted: [number, number][], jobs: Job[]}} Detail
 *
 * @typedef {object} Limits
 * @property {number} file_bytes
 * @property {number} frame_pixels
 * @property {number} frames
 * @property {number} objects
 * @property {number} name_length
 * @property {number} mask_bytes
 * @property {number} zip_members
 *
 * @typedef {{kind: string, title: string, form: string, wishes: string[]}} ExportOffer wishes: fields of Export
 *
 * @typedef {{accept: string[], several: boolean}} MaskFileKind accept: of a file dialog; several: masks of frames
 *
 * @typedef {object} Server
 * @property {string} version
 * @property {string} run
 * @property {string} model
 * @property {string | null} device
 * @property {number} seq
 * @property {Limits} limits
 * @property {ExportOffer[]} exports what can be asked for, in order
 * @property {MaskFileKind[]} mask_files that can be loaded
 *
 * @typedef {"forward" | "backward" | "both"} Direction
 * @typedef {{frame: number, direction: Direction, until: "end" | "given", reached?: number | null}} Propagate
 * @typedef {{kind: string, objects?: number[], frames?: [number, number], opacity?: number, background?: string}} Export
 *   kind: one of the server's exports
 * @typedef {{background: string}} Background what an export is told of a picture
 *
 * @typedef {object} Job
 * @property {string} id
 * @property {string} project
 * @property {"decode" | "propagate" | "export"} kind
 * @property {"queued" | "running" | "done" | "failed" | "cancelled" | "interrupted"} state
 * @property {number} place 0 running or ended, 1 next in the queue
 * @property {number} done
 * @property {number} total
 * @property {number | null} frame of a propagation: the one done last
 * @property {number} rate frames/s
 * @property {number | null} left seconds
 * @property {"loading" | "measuring" | null} stage
 * @property {string | null} error
 * @property {Propagate | Export | null} asked
 * @property {string | null} file
 * @property {string | null} file_name
 * @property {string[]} notes of an export: what its file lacks
 *
 * @typedef {object} Mask
 * @property {number} frame
 * @property {boolean} given
 * @property {boolean} predicted
 * @property {{[id: string]: number}} confidence
 * @property {number[]} lost
 *
 * @typedef {{given: boolean, absent: number[]}} Before a change, or after it: is there a mask of the user's, without
 *   which objects
 * @typedef {{x: number, y: number, png: string}} Pixels PNG in Base64: grey is the new id, alpha the old one
 * @typedef {{before: Before, after: Before, pixels: Pixels | null}} Done to a frame
 * @typedef {Mask & Done} Changed
 *
 * @typedef {object} Loaded
 * @property {number[]} frames
 * @property {{[frame: string]: Done} | null} steps null: of too many frames
 * @property {Obj[]} objects
 * @property {string[]} notes
 * @property {boolean} numbered may other frames be meant?
 *
 * @typedef {{confidence: (number | null)[], lost: [number, number][], doubtful: [number, number][]}} Strip
 * @typedef {{objects: {[id: string]: Strip}}} Confidence
 *
 * @typedef {object} Clicks
 * @property {{x: number, y: number, positive: boolean}[]} clicks
 * @property {[number, number, number, number] | null} box
 * @property {string | null} mask what it begins from, a PNG in Base64
 * @property {number} candidate
 * @property {boolean} rough
 * @typedef {{score: number, x: number, y: number, mask: string | null}} Candidate mask: PNG in Base64, of a part
 * @typedef {{candidates: Candidate[]}} Found best first
 *
 * @typedef {"given" | "predicted" | "both"} ClearKind
 *
 * @typedef {{type: "hello", run: string, seq: number, reload: boolean}} HelloEvent
 * @typedef {{type: "project", seq: number, project: Project}} ProjectEvent
 * @typedef {{type: "project_deleted", seq: number, id: string}} DeletedEvent
 * @typedef {{type: "mask", seq: number, project: string, mask: Mask}} MaskEvent
 * @typedef {{first: number, last: number, kind: ClearKind}} Cleared
 * @typedef {{type: "masks_cleared", seq: number, project: string} & Cleared} ClearedEvent
 * @typedef {{type: "job", seq: number, job: Job}} JobEvent
 * @typedef {HelloEvent | ProjectEvent | DeletedEvent | MaskEvent | ClearedEvent | JobEvent} ServerEvent
 */
export {};
