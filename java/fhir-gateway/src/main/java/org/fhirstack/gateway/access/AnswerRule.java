package org.fhirstack.gateway.access;

import java.util.List;

/** What must be done to an answer before its reader gets it. */
public sealed interface AnswerRule {

    /** Nothing to judge. */
    record Pass() implements AnswerRule {
    }

    /**
     * One resource, which must carry one of the user's tags.
     *
     * @param everybodys whether it may also carry none of any sync strategy
     */
    record Tagged(boolean everybodys) implements AnswerRule {
    }

    /** A bundle: its page links are signed, and its entries judged as the page says. */
    record Pages(Page page) implements AnswerRule {
        @Override
        public boolean everybodys() {
            return page.mode().everybodys();
        }
    }

    /** A batch or transaction: as many answers as there were requests, each of the kind that its request brings. */
    record Each(List<Expected> expected) implements AnswerRule {
    }

    /**
     * What the answer to one entry of a bundle may hold, besides an outcome.
     *
     * @param type   of the resource that was read or written, or that was searched
     * @param page   how a searchset or history is judged; null when the answer is no such bundle
     * @param tagged what tags a resource in the answer must carry; null when it needs none
     */
    record Expected(String type, Page page, Tagged tagged) {
    }

    /** Nothing is asked of the backend: a search that found nothing. */
    record Nothing() implements AnswerRule {
    }

    Pass PASS = new Pass();
    Nothing NOTHING = new Nothing();
    Tagged TAGGED = new Tagged(false);
    /** A resource of a type that everybody reads. */
    Tagged EVERYBODYS = new Tagged(true);

    /** True when what no tag assigns is everybody's here. */
    default boolean everybodys() {
        return false;
    }

    /** How the entries of a page are judged. */
    enum Mode {
        /** The search itself is narrow enough. */
        PLAIN,
        /** Included entries need their type's role and, for Android users, one of the user's tags. */
        INCLUDES,
        /** As INCLUDES, for all entries: what a search found can have moved since. */
        EVERYTHING,
        /** As EVERYTHING, of a type that everybody reads. */
        EVERYBODYS,
        /** Every version must carry one of the user's tags, or the whole answer is refused. */
        HISTORY,
        /** As HISTORY, of a type that everybody reads. */
        EVERYBODYS_HISTORY;

        /** True when what no tag assigns is everybody's. */
        public boolean everybodys() {
            return this == EVERYBODYS || this == EVERYBODYS_HISTORY;
        }
    }

    /**
     * What is signed into the links of a page.
     *
     * @param type      the type whose role the reader needs
     * @param filter    fingerprint of the sync filter under which the page was made; empty without one
     * @param locations the locations that the user chose ({@code _syncLocations}); empty without
     */
    record Page(String type, Mode mode, String filter, String locations) {
    }
}
